//go:build tools
// +build tools

// Package nsqd names the programs that the tests need, so that go.mod and go.sum pin what they are built from.
package nsqd

import (
	_ "github.com/nsqio/nsq/apps/nsqd"
	_ "github.com/nsqio/nsq/apps/nsqlookupd"
)
