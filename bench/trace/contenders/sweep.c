/* All pairs of visits of a place that are together long enough: the limit that plain C sets, on one core.

   Told: a file of four columns of int64 (facility, start, end, person), a count before them, and the shortest time.
   Answers: the seconds of sorting and of sweeping, the number of pairs, and a sum over them that no order changes. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

typedef struct { int64_t facility, start, end, person, row; } Stay;

static int by_place_and_start(const void *a, const void *b) {
    const Stay *one = a, *other = b;
    if (one->facility != other->facility) return one->facility < other->facility ? -1 : 1;
    return one->start < other->start ? -1 : one->start > other->start;
}

static double now(void) {
    struct timespec at;
    clock_gettime(CLOCK_MONOTONIC, &at);
    return at.tv_sec + at.tv_nsec / 1e9;
}

static uint64_t mixed(uint64_t total, uint64_t value) {
    total = (total ^ value) * UINT64_C(0x9E3779B97F4A7C15);
    return total ^ total >> 29;
}

static size_t sweep(const Stay *stays, int64_t n, int64_t least, uint32_t *one, uint32_t *other) {
    size_t found = 0;
    for (int64_t i = 0; i < n; i++) {
        if (stays[i].end - stays[i].start < least) continue;
        int64_t last = stays[i].end - least;
        for (int64_t j = i + 1; j < n && stays[j].facility == stays[i].facility && stays[j].start <= last; j++) {
            if (stays[j].end - stays[j].start < least || stays[j].person == stays[i].person) continue;
            if (one) one[found] = (uint32_t)i, other[found] = (uint32_t)j;
            found++;
        }
    }
    return found;
}

int main(int argc, char **argv) {
    FILE *file = argc == 3 ? fopen(argv[1], "rb") : NULL;
    int64_t n, least = argc == 3 ? atoll(argv[2]) : 0;
    if (!file || fread(&n, 8, 1, file) != 1) return 2;
    int64_t *columns = malloc(4 * n * 8);
    Stay *stays = malloc(n * sizeof *stays);
    if (!columns || !stays || fread(columns, 8, 4 * n, file) != (size_t)(4 * n)) return 2;
    for (int64_t i = 0; i < n; i++)
        stays[i] = (Stay){columns[i], columns[n + i], columns[2 * n + i], columns[3 * n + i], i};
    double began = now();
    qsort(stays, n, sizeof *stays, by_place_and_start);
    double sorted = now();
    size_t room = sweep(stays, n, least, NULL, NULL); /* so that memory is not guessed; not timed */
    uint32_t *one = calloc(room + 1, 4), *other = calloc(room + 1, 4);
    if (!one || !other) return 3;
    sweep(stays, n, least, one, other); /* the first touch of the memory; not timed */
    double warm = now();
    size_t found = sweep(stays, n, least, one, other);
    double done = now();
    uint64_t sum = 0;
    for (size_t k = 0; k < found; k++) {
        int64_t a = stays[one[k]].row, b = stays[other[k]].row;
        sum += mixed(mixed(0, a < b ? a : b), a < b ? b : a);
    }
    printf("{\"sort\":%.6f,\"sweep\":%.6f,\"pairs\":%zu,\"sum\":\"%016llx\"}\n", sorted - began, done - warm, found,
           (unsigned long long)sum);
    return 0;
}
