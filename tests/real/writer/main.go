// Command writer is the only program in the test's container image: it writes numbered lines, or, without flags, waits
// for a signal (which makes the same image serve as the pod's pause container).
//
// A line reads `tag=T run=R seq=N ` and is filled up to the size asked for, so that whoever finds it knows which writer,
// which of its lives and which of its lines it is.
package main

import (
	"crypto/rand"
	"encoding/hex"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"
)

type options struct {
	tag         string
	rate        float64
	lines       int
	size        int
	longEvery   int
	longSize    int
	stderrEvery int
	exit        int
	noNewline   bool
	file        string
	rotateBytes int64
	keep        int
}

func main() {
	var o options
	flag.StringVar(&o.tag, "tag", "", "name in every line; without it, only wait for a signal")
	flag.Float64Var(&o.rate, "rate", 10, "lines per second, 0: as fast as the reader takes them")
	flag.IntVar(&o.lines, "lines", 0, "end after so many lines, 0: never")
	flag.IntVar(&o.size, "size", 120, "bytes per line with its newline, at least")
	flag.IntVar(&o.longEvery, "long-every", 0, "every k-th line is long")
	flag.IntVar(&o.longSize, "long-size", 40000, "bytes of a long line")
	flag.IntVar(&o.stderrEvery, "stderr-every", 0, "every k-th line goes to stderr")
	flag.IntVar(&o.exit, "exit", 0, "exit code after the last line")
	flag.BoolVar(&o.noNewline, "no-newline", false, "the last line has no newline")
	flag.StringVar(&o.file, "file", "", "write there instead of stdout")
	flag.Int64Var(&o.rotateBytes, "rotate", 0, "rename FILE to FILE.1, FILE.1 to FILE.2 … after so many bytes")
	flag.IntVar(&o.keep, "keep", 3, "renamed files that are kept")
	flag.Parse()
	if o.tag == "" {
		wait()
		return
	}
	if err := write(o); err != nil {
		fmt.Fprintln(os.Stderr, "writer:", err)
		os.Exit(70)
	}
	os.Exit(o.exit)
}

func wait() {
	ends := make(chan os.Signal, 1)
	signal.Notify(ends, syscall.SIGINT, syscall.SIGTERM)
	<-ends
}

func write(o options) error {
	// As process 1 of a container the default action of SIGTERM would not be taken.
	ends := make(chan os.Signal, 1)
	signal.Notify(ends, syscall.SIGTERM)
	var id [4]byte
	if _, err := rand.Read(id[:]); err != nil {
		return err
	}
	run := hex.EncodeToString(id[:])
	out, err := newOutput(o)
	if err != nil {
		return err
	}
	start := time.Now()
	for seq := 0; o.lines == 0 || seq < o.lines; seq++ {
		if err := out.line(o, seq, line(o, run, seq)); err != nil {
			return err
		}
		if o.rate > 0 {
			select {
			case <-ends:
				return nil
			case <-time.After(time.Until(start.Add(time.Duration(float64(seq+1) / o.rate * float64(time.Second))))):
			}
		}
	}
	return nil
}

func line(o options, run string, seq int) string {
	size := o.size
	if o.longEvery > 0 && seq%o.longEvery == o.longEvery-1 {
		size = o.longSize
	}
	text := fmt.Sprintf("tag=%s run=%s seq=%d ", o.tag, run, seq)
	if fill := size - len(text) - 1; fill > 0 {
		text += strings.Repeat("x", fill)
	}
	if o.noNewline && seq == o.lines-1 {
		return text
	}
	return text + "\n"
}

// output is stdout, or a file that the writer rotates itself as an application's logging library does.
type output struct {
	file    *os.File
	written int64
}

func newOutput(o options) (*output, error) {
	if o.file == "" {
		return &output{file: os.Stdout}, nil
	}
	out := &output{}
	return out, out.open(o.file)
}

func (out *output) open(path string) error {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	state, err := file.Stat()
	if err != nil {
		return err
	}
	out.file, out.written = file, state.Size()
	return nil
}

func (out *output) line(o options, seq int, text string) error {
	if o.stderrEvery > 0 && seq%o.stderrEvery == o.stderrEvery-1 {
		_, err := os.Stderr.WriteString(text)
		return err
	}
	if _, err := out.file.WriteString(text); err != nil {
		return err
	}
	out.written += int64(len(text))
	if o.file == "" || o.rotateBytes == 0 || out.written < o.rotateBytes {
		return nil
	}
	return out.rotate(o)
}

func (out *output) rotate(o options) error {
	if err := out.file.Close(); err != nil {
		return err
	}
	for number := o.keep - 1; number >= 1; number-- {
		older := fmt.Sprintf("%s.%d", o.file, number+1)
		if err := os.Rename(fmt.Sprintf("%s.%d", o.file, number), older); err != nil && !os.IsNotExist(err) {
			return err
		}
	}
	if err := os.Rename(o.file, o.file+".1"); err != nil {
		return err
	}
	return out.open(o.file)
}
