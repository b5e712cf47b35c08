// An output plugin that ends its process as soon as it is loaded, without a word.
package main

import (
	"C"
	"os"
	"unsafe"

	"github.com/fluent/fluent-bit-go/output"
)

func init() {
	os.Exit(7)
}

//export FLBPluginRegister
func FLBPluginRegister(def unsafe.Pointer) int {
	return output.FLBPluginRegister(def, "exits", "Never gets here")
}

//export FLBPluginInit
func FLBPluginInit(plugin unsafe.Pointer) int { return output.FLB_OK }

//export FLBPluginFlush
func FLBPluginFlush(data unsafe.Pointer, length C.int, tag *C.char) int { return output.FLB_OK }

func main() {}
