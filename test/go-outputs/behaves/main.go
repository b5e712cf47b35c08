// An output plugin whose behaviour the properties of each instance choose: see `options`.
package main

import (
	"C"
	"encoding/json"
	"fmt"
	"os"
	"reflect"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
	"unsafe"

	"github.com/fluent/fluent-bit-go/output"
)

// What an instance was told by its properties; each is named after its key.
type options struct {
	id string
	// File to which each event is appended as a line of JSON.
	events string
	// File to which each call of the life cycle is appended.
	calls string
	// `record` (default): events; `count`: decodes and writes nothing; `bytes`: looks at the length alone.
	mode string
	// The first so many flushes answer FLB_RETRY.
	retries int64
	// Flushes whose data holds this text answer FLB_ERROR.
	refuse string
	// Flushes whose data holds this text answer FLB_RETRY, always.
	retry string
	// The flush of this number panics; hangs; exits; crashes by a signal. With `once`, a file, only until that is there.
	panicOn, hangOn, exitOn, signalOn int64
	once                              string
	// A flush whose data holds this text panics.
	panicWith string
	// Bytes that each flush prints.
	noise int64
	// Pause in each flush.
	slowMs int64
	// Keys that a goroutine asks for in each flush; the answers go to `calls`.
	lateAsk string
	// Number that the flush returns instead of 0, 1, 2.
	answer string
	// The exit never returns.
	exitHangs bool
}

type instance struct {
	options
	plugin  unsafe.Pointer
	flushes atomic.Int64
	now     atomic.Int64
	most    atomic.Int64
}

var writing sync.Mutex

func appendLine(path string, line string) {
	if path == "" {
		return
	}
	writing.Lock()
	defer writing.Unlock()
	file, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		fmt.Fprintln(os.Stderr, "behaves:", err)
		return
	}
	defer file.Close()
	file.WriteString(line + "\n")
}

//export FLBPluginRegister
func FLBPluginRegister(def unsafe.Pointer) int {
	return output.FLBPluginRegister(def, "behaves", "An output plugin for tests")
}

//export FLBPluginInit
func FLBPluginInit(plugin unsafe.Pointer) int {
	ask := func(key string) string { return output.FLBPluginConfigKey(plugin, key) }
	number := func(key string) int64 {
		value, _ := strconv.ParseInt(ask(key), 10, 64)
		return value
	}
	it := &instance{plugin: plugin, options: options{
		id: ask("id"), events: ask("events"), calls: ask("calls"), mode: ask("mode"),
		retries: number("retries"), refuse: ask("refuse"), retry: ask("retry"),
		panicOn: number("panic_on"), hangOn: number("hang_on"), exitOn: number("exit_on"), signalOn: number("signal_on"),
		once: ask("once"), panicWith: ask("panic_with"), noise: number("noise"), slowMs: number("slow_ms"), lateAsk: ask("late_ask"),
		answer: ask("answer"), exitHangs: ask("exit_hangs") == "true",
	}}
	for _, key := range strings.Fields(ask("ask")) {
		appendLine(it.calls, it.id+" "+key+"="+ask(key))
	}
	if ask("init_says") != "" {
		fmt.Fprintln(os.Stderr, ask("init_says"))
	}
	if ask("init_exits") == "true" {
		os.Exit(3)
	}
	if ask("init_hangs") == "true" {
		select {}
	}
	if ask("init_fails") == "true" {
		return output.FLB_ERROR
	}
	output.FLBPluginSetContext(plugin, it)
	appendLine(it.calls, it.id+" init")
	return output.FLB_OK
}

//export FLBPluginFlushCtx
func FLBPluginFlushCtx(context, data unsafe.Pointer, length C.int, tag *C.char) int {
	it := output.FLBPluginGetContext(context).(*instance)
	if it.mode == "bytes" {
		it.flushes.Add(int64(length))
		return output.FLB_OK
	}
	if it.mode == "count" {
		count(data, int(length))
		return output.FLB_OK
	}
	running := it.now.Add(1)
	defer it.now.Add(-1)
	if running > it.most.Load() {
		it.most.Store(running)
	}
	time.Sleep(time.Duration(it.slowMs) * time.Millisecond)
	number := it.flushes.Add(1)
	it.misbehave(number)
	for left := it.noise; left > 0; left -= 100 {
		fmt.Println(strings.Repeat("n", 99))
	}
	if it.lateAsk != "" {
		answers := make(chan string)
		go func() { answers <- output.FLBPluginConfigKey(it.plugin, it.lateAsk) }()
		appendLine(it.calls, it.id+" late "+it.lateAsk+"="+<-answers)
	}
	text := string(C.GoBytes(data, length))
	appendLine(it.calls, fmt.Sprintf("%s flush %d %s %d", it.id, number, C.GoString(tag), length))
	if it.panicWith != "" && strings.Contains(text, it.panicWith) {
		panic("the plugin cannot stand " + it.panicWith)
	}
	if it.refuse != "" && strings.Contains(text, it.refuse) {
		return output.FLB_ERROR
	}
	if number <= it.retries || it.retry != "" && strings.Contains(text, it.retry) {
		return output.FLB_RETRY
	}
	if it.answer != "" {
		answer, _ := strconv.Atoi(it.answer)
		return answer
	}
	it.write(data, int(length), C.GoString(tag))
	return output.FLB_OK
}

func (it *instance) misbehave(number int64) {
	if number != it.panicOn && number != it.hangOn && number != it.exitOn && number != it.signalOn {
		return
	}
	if it.once != "" {
		if _, err := os.Stat(it.once); err == nil {
			return
		}
		appendLine(it.once, "done")
	}
	switch number {
	case it.panicOn:
		panic("the plugin panics as it was told")
	case it.hangOn:
		select {}
	case it.exitOn:
		os.Exit(5)
	case it.signalOn:
		*(*int)(unsafe.Pointer(uintptr(1))) = 1
	}
}

func count(data unsafe.Pointer, length int) {
	decoder := output.NewDecoder(data, length)
	for {
		if result, _, _ := output.GetRecord(decoder); result != 0 {
			return
		}
	}
}

func (it *instance) write(data unsafe.Pointer, length int, tag string) {
	decoder := output.NewDecoder(data, length)
	var lines []string
	for {
		result, timestamp, record := output.GetRecord(decoder)
		if result != 0 {
			break
		}
		seconds := int64(-1)
		if at, ok := timestamp.(output.FLBTime); ok {
			seconds = at.Unix()
		}
		line, err := json.Marshal(map[string]any{"id": it.id, "tag": tag, "time": seconds, "record": plain(record)})
		if err != nil {
			panic(err)
		}
		lines = append(lines, string(line))
	}
	if len(lines) > 0 {
		appendLine(it.events, strings.Join(lines, "\n"))
	}
}

// Strings reach Go as bytes.
func plain(value any) any {
	switch it := value.(type) {
	case []byte:
		return string(it)
	case map[any]any:
		return plainMap(it)
	}
	if reflected := reflect.ValueOf(value); reflected.Kind() == reflect.Map {
		found := map[any]any{}
		for _, key := range reflected.MapKeys() {
			found[key.Interface()] = reflected.MapIndex(key).Interface()
		}
		return plainMap(found)
	}
	return value
}

func plainMap(value map[any]any) map[string]any {
	result := map[string]any{}
	for key, item := range value {
		result[fmt.Sprint(plain(key))] = plain(item)
	}
	return result
}

//export FLBPluginExitCtx
func FLBPluginExitCtx(context unsafe.Pointer) int {
	it := output.FLBPluginGetContext(context).(*instance)
	appendLine(it.calls, fmt.Sprintf("%s exit, at most %d flushes at once", it.id, it.most.Load()))
	if it.exitHangs {
		select {}
	}
	return output.FLB_OK
}

//export FLBPluginUnregister
func FLBPluginUnregister(def unsafe.Pointer) {
	appendLine(os.Getenv("BEHAVES_CALLS"), "unregister")
	output.FLBPluginUnregister(def)
}

func main() {}
