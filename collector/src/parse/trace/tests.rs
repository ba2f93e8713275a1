//! Stack traces of each runtime, and lines that are none.

use super::super::level_of;
use super::*;

/// Groups the lines of a text by one preset; groups are parted by lines of `====`.
#[track_caller]
fn check(preset: Preset, groups: &str) {
    let expect: Vec<String> = groups
        .split("====\n")
        .map(|group| group.trim_end_matches('\n').to_owned())
        .collect();
    for preset in [preset, Preset::Auto] {
        let mut found: Vec<String> = Vec::new();
        let mut trace: Option<Trace> = None;
        for line in groups.lines().filter(|line| *line != "====") {
            let continues = trace
                .as_mut()
                .is_some_and(|trace| trace.continues(line.as_bytes()));
            if let Some(group) = found.last_mut().filter(|_| continues) {
                group.push('\n');
                group.push_str(line);
            } else {
                let level = level_of(line.as_bytes());
                trace = Some(Trace::begin(preset, line.as_bytes(), level));
                found.push(line.to_owned());
            }
        }
        let found: Vec<&str> = found
            .iter()
            .map(|group| group.trim_end_matches('\n'))
            .collect();
        assert_eq!(found, expect, "{preset:?}");
    }
}

#[test]
fn java() {
    check(
        Preset::Java,
        "\
10:00:00 INFO started
====
10:00:01 ERROR [main] failed
java.lang.IllegalStateException: boom
\tat com.example.Main.run(Main.java:5) [app.jar:1]
\tat java.base/java.lang.Thread.run(Thread.java:840)
\tSuppressed: java.io.IOException: close
\t\tat com.example.Main.close(Main.java:9)
Caused by: java.io.IOException: disk
\tat com.example.Disk.read(Disk.java:1)
\t... 12 more
====
10:00:02 INFO next
====
java.lang.RuntimeException: after a calm line
\tat com.example.Main.run(Main.java:5)
====
Exception in thread \"main\" java.lang.NullPointerException
\tat com.example.Main.main(Main.java:5)
====
10:00:03 WARN slow
====
com.example.Name: no exception
====
10:00:03 WARN slow
====
  indented by hand
",
    );
}

#[test]
fn python() {
    check(
        Preset::Python,
        "\
INFO:root:started
====
ERROR:root:failed
Traceback (most recent call last):
  File \"a.py\", line 1, in <module>
    x()
    ~^^
  File \"a.py\", line 2, in x
    raise KeyError('k')
KeyError: 'k'

During handling of the above exception, another exception occurred:

Traceback (most recent call last):
  File \"a.py\", line 3, in <module>
pkg.errors.Bad: no
====
INFO:root:next
====
Traceback (most recent call last):
  File \"a.py\", line 1, in <module>
KeyboardInterrupt
====
Traceback (most recent call last):
  File \"a.py\", line 1, in <module>
ValueError: x
====
  + Exception Group Traceback (most recent call last):
  |   File \"a.py\", line 1, in <module>
  | ExceptionGroup: two (2 sub-exceptions)
  +-+---------------- 1 ----------------
    | ValueError: 1
    +------------------------------------
====
no: trace
====
  indented
",
    );
}

#[test]
fn go() {
    check(
        Preset::Go,
        "\
2026/11/21 10:00:00 started
====
panic: runtime error: invalid memory address [recovered]
\tpanic: again
[signal SIGSEGV: segmentation violation code=0x1 addr=0x0 pc=0x1]

goroutine 1 [running]:
main.(*T).run(0xc000012345, {0x1, 0x2})
\t/app/main.go:10 +0x1d
created by main.main in goroutine 1
\t/app/main.go:5 +0x2
rax    0x0
r10    0xffffffffffffffff
exit status 2
====
2026/11/21 10:00:01 started again (pid 5)
====
ERROR recovered
goroutine 18 [running]:
runtime/debug.Stack()
\t/usr/local/go/src/runtime/debug/stack.go:26 +0x5e
====
fatal error: all goroutines are asleep - deadlock!

goroutine 1 [chan receive]:
main.main()
\t/app/main.go:4 +0x1
====
INFO calm
====
main.main()
",
    );
}

#[test]
fn node() {
    check(
        Preset::Node,
        "\
listening on 80
====
TypeError: x is not a function
    at run (/app/index.js:3:5)
    at async /app/index.js:9:1 {
  code: 'E',
  [cause]: Error: inner
      at deep (/app/deep.js:1:1)
}
====
listening again
====
/app/index.js:3
    throw new Error('boom');
    ^

Error: boom
    at Object.<anonymous> (/app/index.js:3:11)
    at node:internal/main/run_main_module:28:49

Node.js v22.1.0
====
node:internal/modules/cjs/loader:1080
  throw err;
  ^

Error: Cannot find module 'x' {
  code: 'MODULE_NOT_FOUND'
}
====
GET /app.js:3 200
====
    not indented source
",
    );
}

#[test]
fn dotnet() {
    check(
        Preset::Dotnet,
        "\
info: Microsoft.Hosting.Lifetime[14]
      Now listening on: http://[::]:8080
====
fail: Microsoft.AspNetCore.Server.Kestrel[13]
      Connection id \"x\": An unhandled exception was thrown.
      System.InvalidOperationException: boom
       ---> System.IO.IOException: disk
         at App.Disk.Read() in /src/Disk.cs:line 4
         --- End of inner exception stack trace ---
         at App.Main() in /src/Main.cs:line 5
====
Unhandled exception. System.Exception: boom
   at App.Main() in /src/Main.cs:line 5
--- End of stack trace from previous location ---
   at App.Other()
====
2026-11-21 ERROR failed
System.InvalidOperationException: boom
   at App.Main() in /src/Main.cs:line 5
====
plain
====
      indented under a plain line
",
    );
}
