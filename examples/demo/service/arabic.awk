# Reads Roman digits: only the ways of writing a number that a mason would carve.
BEGIN {
    split("M CM CD D C XC XL L X IX IV V I", digits, " ")
    split("1000 900 400 500 100 90 40 50 10 9 4 5 1", value, " ")
    number = 0; rest = roman
    for (i = 1; i <= 13; i++) {
        most = length(digits[i]) == 1 && digits[i] !~ /[DLV]/ ? 3 : 1
        for (k = 0; k < most && index(rest, digits[i]) == 1; k++) { number += value[i]; rest = substr(rest, length(digits[i]) + 1) }
    }
    print rest == "" ? number : "?"
}
