# Writes a number from 1 to 3999 in Roman digits.
BEGIN {
    split("1000 900 500 400 100 90 50 40 10 5 4 1", value, " ")
    split("M CM D CD C XC L XL X V IV I", digits, " ")
    text = ""
    for (i = 1; i <= 12; i++) while (number >= value[i]) { text = text digits[i]; number -= value[i] }
    print text
}
