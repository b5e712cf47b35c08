// An output plugin whose flushes do all that is hard on the stack they are called on: see `strain`.
package main

/*
#include "strain.h"
*/
import "C"

import (
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime"
	"runtime/debug"
	"runtime/pprof"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
	"unsafe"

	"github.com/fluent/fluent-bit-go/output"
)

// How deep C goes: most of the 8 MB that a thread has.
const framesOfKilobyte = 6000

var flushes atomic.Int64
var backgroundOnce sync.Once

//export FLBPluginRegister
func FLBPluginRegister(def unsafe.Pointer) int {
	return output.FLBPluginRegister(def, "strains", "An output plugin for tests that strains its stack")
}

//export FLBPluginInit
func FLBPluginInit(plugin unsafe.Pointer) int {
	output.FLBPluginSetContext(plugin, plugin)
	backgroundOnce.Do(background)
	return output.FLB_OK
}

// Garbage collections without end, signals from outside, and those of a profiler.
func background() {
	debug.SetGCPercent(5)
	pprof.StartCPUProfile(io.Discard)
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGUSR2)
	go func() {
		for range signals {
		}
	}()
	go func() {
		for {
			syscall.Kill(os.Getpid(), syscall.SIGUSR2)
			time.Sleep(2 * time.Millisecond)
		}
	}()
}

//export FLBPluginFlushCtx
func FLBPluginFlushCtx(context, data unsafe.Pointer, length C.int, tag *C.char) int {
	number := flushes.Add(1)
	plugin := output.FLBPluginGetContext(context).(unsafe.Pointer)
	before := make([]byte, 64*1024)
	if goDeep(4000, before) != 4000 {
		return output.FLB_ERROR
	}
	if output.FLBPluginConfigKey(plugin, "colour") != "red" {
		return output.FLB_ERROR
	}
	if answer := C.strain_deep(framesOfKilobyte, C.int(number)); int64(answer) != number%1000 {
		fmt.Fprintln(os.Stderr, "strains: C answered", answer)
		return output.FLB_ERROR
	}
	decoder := output.NewDecoder(data, int(length))
	for {
		if result, _, _ := output.GetRecord(decoder); result != 0 {
			break
		}
	}
	return output.FLB_OK
}

//export strainCalledBack
func strainCalledBack(number C.int) (answer C.int) {
	defer func() {
		if recover() != nil {
			answer = number % 1000
		}
	}()
	// The trace of a goroutine, and the collector, work on the stack that C was on.
	trace := make([]byte, 64*1024)
	runtime.Stack(trace, number%16 == 0)
	if number%8 == 0 {
		runtime.GC()
	}
	goDeep(1000, trace)
	panic("recovered")
}

func goDeep(depth int, keep []byte) int {
	if depth == 0 {
		return 0
	}
	var frame [256]byte
	frame[depth%256] = keep[depth]
	return goDeep(depth-1, keep) + 1 + int(frame[(depth+1)%256])
}

//export FLBPluginExitCtx
func FLBPluginExitCtx(context unsafe.Pointer) int {
	return output.FLB_OK
}

func main() {}
