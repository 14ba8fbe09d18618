# Writes a number in Roman digits, reads it back and compares.
number=$1
roman=$(awk -v number="$number" -f roman.awk)
back=$(awk -v roman="$roman" -f arabic.awk)
echo "$number $roman $back"
test "$number" = "$back"
