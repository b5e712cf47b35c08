// An output plugin with the C interface of Fluent Bit: appends every event to a file, as a line of JSON.
//
// A host (the agent, Fluent Bit, Calyptia Core Agent) loads the shared object that "make" builds and calls the exported
// functions below. All output to stdout and stderr goes to the host's log.
package main

import "C"

import (
	"encoding/json"
	"fmt"
	"os"
	"time"
	"unsafe"

	"github.com/fluent/fluent-bit-go/output"
)

const (
	name        = "jsonlines"
	description = "Appends every event to a file, as a line of JSON"
)

// instance is one configured output. A library serves any number of them, each with its own context.
type instance struct {
	file *os.File
}

// FLBPluginRegister tells the host the name by which configurations mean this plugin.
//
//export FLBPluginRegister
func FLBPluginRegister(def unsafe.Pointer) int {
	return output.FLBPluginRegister(def, name, description)
}

// FLBPluginInit runs once for each configured output: it reads the keys of its section. FLB_ERROR refuses it.
//
//export FLBPluginInit
func FLBPluginInit(plugin unsafe.Pointer) int {
	path := output.FLBPluginConfigKey(plugin, "path")
	if path == "" {
		fmt.Fprintln(os.Stderr, "the key Path is missing: name the file to write to")
		return output.FLB_ERROR
	}
	file, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return output.FLB_ERROR
	}
	output.FLBPluginSetContext(plugin, &instance{file: file})
	return output.FLB_OK
}

// FLBPluginFlushCtx gets a chunk of events of one tag. FLB_OK: they are delivered. FLB_RETRY: the host brings the same
// chunk again later. FLB_ERROR: they can never be delivered.
//
//export FLBPluginFlushCtx
func FLBPluginFlushCtx(ctx, data unsafe.Pointer, length C.int, tag *C.char) int {
	self := output.FLBPluginGetContext(ctx).(*instance)
	lines, err := linesOf(data, int(length), C.GoString(tag))
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return output.FLB_ERROR
	}
	// In one write, so that a chunk that is brought again does not begin in the middle of a line.
	if _, err := self.file.Write(lines); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return output.FLB_RETRY
	}
	return output.FLB_OK
}

// FLBPluginExitCtx runs once for each configured output when the host ends.
//
//export FLBPluginExitCtx
func FLBPluginExitCtx(ctx unsafe.Pointer) int {
	self := output.FLBPluginGetContext(ctx).(*instance)
	if err := self.file.Close(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return output.FLB_ERROR
	}
	return output.FLB_OK
}

// FLBPluginUnregister is the last call.
//
//export FLBPluginUnregister
func FLBPluginUnregister(def unsafe.Pointer) {
	output.FLBPluginUnregister(def)
}

type event struct {
	Tag    string                 `json:"tag"`
	Time   time.Time              `json:"time"`
	Record map[string]interface{} `json:"record"`
}

func linesOf(data unsafe.Pointer, length int, tag string) ([]byte, error) {
	var lines []byte
	decoder := output.NewDecoder(data, length)
	for {
		result, timestamp, record := output.GetRecord(decoder)
		if result != 0 {
			return lines, nil
		}
		line, err := json.Marshal(event{Tag: tag, Time: timeOf(timestamp), Record: mapOf(record)})
		if err != nil {
			return nil, err
		}
		lines = append(append(lines, line...), '\n')
	}
}

func timeOf(timestamp interface{}) time.Time {
	switch t := timestamp.(type) {
	case output.FLBTime:
		return t.Time.UTC()
	case uint64:
		return time.Unix(int64(t), 0).UTC()
	default:
		return time.Now().UTC()
	}
}

// mapOf makes text of what msgpack's strings arrive as, which is bytes.
func mapOf(record map[interface{}]interface{}) map[string]interface{} {
	plain := make(map[string]interface{}, len(record))
	for key, value := range record {
		plain[fmt.Sprint(plainOf(key))] = plainOf(value)
	}
	return plain
}

func plainOf(value interface{}) interface{} {
	switch v := value.(type) {
	case []byte:
		return string(v)
	case map[interface{}]interface{}:
		return mapOf(v)
	case []interface{}:
		plain := make([]interface{}, len(v))
		for index, inner := range v {
			plain[index] = plainOf(inner)
		}
		return plain
	default:
		return v
	}
}

// The host never calls it; a shared object of Go has to have one.
func main() {}
