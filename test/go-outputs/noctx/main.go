// An output plugin of the oldest form: no contexts, and the optional calls of the life cycle, each noted in a file.
package main

import (
	"C"
	"fmt"
	"os"
	"unsafe"

	"github.com/fluent/fluent-bit-go/output"
)

var calls string

func note(line string) {
	if calls == "" {
		calls = os.Getenv("NOCTX_CALLS")
	}
	file, err := os.OpenFile(calls, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		return
	}
	defer file.Close()
	fmt.Fprintln(file, line)
}

//export FLBPluginPreRegister
func FLBPluginPreRegister(hotReloading C.int) int {
	note(fmt.Sprintf("preregister %d", hotReloading))
	return 0
}

//export FLBPluginRegister
func FLBPluginRegister(def unsafe.Pointer) int {
	note("register")
	return output.FLBPluginRegister(def, "noctx", "An output plugin without contexts")
}

//export FLBPluginInit
func FLBPluginInit(plugin unsafe.Pointer) int {
	note("init " + output.FLBPluginConfigKey(plugin, "Id"))
	return output.FLB_OK
}

//export FLBPluginOutputPreRun
func FLBPluginOutputPreRun(hotReloading C.int) int {
	note(fmt.Sprintf("prerun %d", hotReloading))
	return 0
}

//export FLBPluginFlush
func FLBPluginFlush(data unsafe.Pointer, length C.int, tag *C.char) int {
	decoder := output.NewDecoder(data, int(length))
	events := 0
	for {
		if result, _, _ := output.GetRecord(decoder); result != 0 {
			break
		}
		events++
	}
	note(fmt.Sprintf("flush %s %d", C.GoString(tag), events))
	return output.FLB_OK
}

//export FLBPluginOutputPreExit
func FLBPluginOutputPreExit(hotReloading C.int) {
	note(fmt.Sprintf("preexit %d", hotReloading))
}

//export FLBPluginExit
func FLBPluginExit() int {
	note("exit")
	return output.FLB_OK
}

//export FLBPluginUnregister
func FLBPluginUnregister(def unsafe.Pointer) {
	note("unregister")
	output.FLBPluginUnregister(def)
}

func main() {}
