/* Counts the primes below a limit, without an array. */
#include <stdio.h>
#include <stdlib.h>

static int is_prime(long n) {
    for (long d = 2; d * d <= n; d++)
        if (n % d == 0) return 0;
    return 1;
}

static long count(long limit) {
    long primes = 0;
    for (long n = 2; n < limit; n++) primes += is_prime(n);
    return primes;
}

int main(int argc, char **argv) {
    long limit = argc > 1 ? atol(argv[1]) : 100;
    printf("%ld\n", count(limit));
    return 0;
}
