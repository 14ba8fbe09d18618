/* Counts the primes below a limit with a sieve. */
#include <stdio.h>
#include <stdlib.h>

static long count(long limit) {
    char *composite = calloc((size_t)limit, 1);
    long primes = 0;
    if (!composite) return -1;
    for (long n = 2; n < limit; n++) {
        if (composite[n]) continue;
        primes++;
        for (long m = n * 2; m < limit; m += n) composite[m] = 1;
    }
    free(composite);
    return primes;
}

int main(int argc, char **argv) {
    long limit = argc > 1 ? atol(argv[1]) : 100;
    printf("%ld\n", count(limit));
    return 0;
}
