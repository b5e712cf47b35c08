#include <string.h>
#include "_cgo_export.h"

__attribute__((noinline)) int strain_deep(int depth, int number) {
	volatile char frame[1024];
	memset((void *)frame, depth, sizeof frame);
	if (depth == 0) return strainCalledBack(number);
	int answer = strain_deep(depth - 1, number);
	return frame[7] == (char)depth ? answer : -1;
}
