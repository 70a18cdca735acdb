package command

import (
	"bytes"
	"os"
	"strconv"
	"strings"
)

// fromEnv reads a secret from the environment once and removes it there, so
// that no child gets it and no listing of processes shows it.
func fromEnv(name string) (string, bool) {
	value, ok := os.LookupEnv(name)
	if ok {
		_ = os.Unsetenv(name)
		wipe(name)
	}
	return value, ok
}

// wipe overwrites a variable where the kernel put it when the process began:
// /proc/PID/environ shows that memory for as long as the process lives, whatever
// was unset since. Where the system does not let it, it stays.
func wipe(name string) {
	start, end, ok := environment()
	if !ok {
		return
	}
	mem, err := os.OpenFile("/proc/self/mem", os.O_RDWR, 0)
	if err != nil {
		return
	}
	defer mem.Close()
	block := make([]byte, end-start)
	if _, err := mem.ReadAt(block, start); err != nil {
		return
	}
	at := int64(0)
	for variable := range bytes.SplitSeq(block, []byte{0}) {
		if secret, ok := bytes.CutPrefix(variable, []byte(name+"=")); ok {
			_, _ = mem.WriteAt(make([]byte, len(secret)), start+at+int64(len(name)+1))
		}
		at += int64(len(variable)) + 1
	}
	clear(block)
}

// environment tells where the process's first environment lies: fields 50 and
// 51 of /proc/self/stat.
func environment() (start, end int64, ok bool) {
	stat, err := os.ReadFile("/proc/self/stat")
	if err != nil {
		return 0, 0, false
	}
	_, rest, _ := strings.Cut(string(stat[bytes.LastIndexByte(stat, ')')+1:]), " ") // the name may hold anything
	fields := strings.Fields(rest)                                                  // from field 3 on
	if len(fields) < 49 {
		return 0, 0, false
	}
	start, err1 := strconv.ParseInt(fields[50-3], 10, 64)
	end, err2 := strconv.ParseInt(fields[51-3], 10, 64)
	return start, end, err1 == nil && err2 == nil && start > 0 && start < end && end-start < 16<<20
}
