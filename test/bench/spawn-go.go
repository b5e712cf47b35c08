// What Go's os/exec takes to start processes, as another user when run as root.
// usage: spawn-go PROGRAM RUNS AT-ONCE; prints the same as spawn-limit.
package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"sync"
	"syscall"
	"time"
)

func cpu(who int) float64 {
	var u syscall.Rusage
	syscall.Getrusage(who, &u)
	return float64(u.Utime.Sec+u.Stime.Sec) + float64(u.Utime.Usec+u.Stime.Usec)/1e6
}

func run(program string) {
	var out, err bytes.Buffer
	command := exec.Command(program)
	command.Env = []string{"PATH=/usr/bin:/bin"}
	command.Stdout, command.Stderr = &out, &err
	command.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if os.Geteuid() == 0 {
		command.SysProcAttr.Credential = &syscall.Credential{Uid: 65534, Gid: 65534}
	}
	if failure := command.Run(); failure != nil {
		panic(failure)
	}
}

func main() {
	runs, _ := strconv.Atoi(os.Args[2])
	atOnce, _ := strconv.Atoi(os.Args[3])
	begun := time.Now()
	work := make(chan struct{}, runs)
	for i := 0; i < runs; i++ {
		work <- struct{}{}
	}
	close(work)
	var all sync.WaitGroup
	for i := 0; i < atOnce; i++ {
		all.Add(1)
		go func() {
			defer all.Done()
			for range work {
				run(os.Args[1])
			}
		}()
	}
	all.Wait()
	seconds := time.Since(begun).Seconds()
	fmt.Printf("{\"runs\":%d,\"seconds\":%f,\"cpuSeconds\":%f}\n", runs, seconds, cpu(syscall.RUSAGE_SELF)+cpu(syscall.RUSAGE_CHILDREN))
}
