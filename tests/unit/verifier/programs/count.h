#define COUNT_ONE(count) *(count) += 1
