# Writes a page for every line of the topics, each linking to the next.
{
    page = "build/" NR ".html"
    print "<h1>" $0 "</h1>" > page
    for (i = 1; i <= 400; i++) print "<p>" $0 ", paragraph " i " of page " NR " (" i * NR * 7919 % 10007 ")</p>" > page
    print "<a href=\"" NR % 40 + 1 ".html\">next</a>" > page
    close(page)
}
