//! Lines of real loggers and what they say, and lines that only look like it.

use proptest::prelude::*;
use record::Level;
use record::Level::{Debug, Error, Fatal, Info, Trace, Unknown, Warn};

use super::shouted::three_upper;
use super::*;

const LINES: &[(Level, &str)] = &[
    // Key and value.
    (Error, "level=error msg=\"cannot connect\""),
    (
        Info,
        "time=\"2026-11-21T10:00:00Z\" level=info msg=\"an ERROR was corrected\"",
    ),
    (
        Warn,
        "ts=2026-11-21T10:00:00Z caller=main.go:10 level=warn msg=slow",
    ),
    (Error, "t=2026-11-21 lvl=eror lvl=err msg=x"),
    (Error, "severity=ERROR text"),
    (Fatal, "level=\"critical\" x"),
    (Debug, "msg=hello log.level=debug"),
    (Info, "logger=x LEVEL=INFO y"),
    (Error, "level=50 pid=7"),
    (Error, "level=3 GELF"),
    (Unknown, "sealevel=error"),
    (Unknown, "level=errors"),
    (Unknown, "level= x"),
    (Unknown, "level=35"),
    (Unknown, "levels=error"),
    // JSON.
    (
        Info,
        r#"{"level":"info","ts":"2026-11-21T12:02:25.775Z","caller":"embed/etcd.go:117"}"#,
    ),
    (
        Error,
        r#"{"@timestamp":"2026","log.level":"ERROR","message":"x"}"#,
    ),
    (Error, r#"{"log":{"level":"error"},"message":"x"}"#),
    (Warn, r#"{"severity":"WARNING","message":"GCP"}"#),
    (Error, r#"{"level":50,"time":1,"msg":"pino"}"#),
    (Trace, r#"{"level":10,"msg":"pino"}"#),
    (Fatal, r#"{"level": 60 ,"msg":"bunyan"}"#),
    (
        Error,
        r#"{"version":"1.1","short_message":"GELF","level":3}"#,
    ),
    (Warn, r#"{"lvl":"warn","msg":"x"}"#),
    (Error, r#"{"@t":"2026","@mt":"x","@l":"Error"}"#),
    (
        Info,
        r#"{"Timestamp":"x","Level":"Information","MessageTemplate":"y"}"#,
    ),
    (
        Error,
        r#"{"asctime": "2026", "levelname": "ERROR", "message": "x"}"#,
    ),
    (
        Info,
        r#"{"t":{"$date":"2026"},"s":"I","c":"NETWORK","msg":"mongo"}"#,
    ),
    (Info, r#"{"message":"ERROR in text","level":"INFO "}"#),
    (Error, r#"{ "message" : "x", "SeverityText" : "Error" }"#),
    (Unknown, r#"{"message":"level: error"}"#),
    (Unknown, r#"{"message":"\"level\":\"error\""}"#),
    (Unknown, r#"{"sealevel":"error"}"#),
    (Unknown, r#"{"level":"high"}"#),
    (Unknown, r#"{"level":35}"#),
    (Unknown, r#"{"level":12.5}"#),
    (Unknown, r#"{"error":null,"ERROR":1}"#),
    (Unknown, r#"{"level"#),
    // Brackets and tabs.
    (Error, "[ERROR] cannot open"),
    (Warn, "2026-11-21 10:00:00 [warning] x"),
    (
        Error,
        "2026/11/21 10:00:00 [error] 31#31: *1 open() failed, client: 10.0.0.1",
    ),
    (
        Error,
        "[Sat Nov 21 10:00:00.000000 2026] [core:error] [pid 7] AH00126: Invalid URI",
    ),
    (
        Info,
        "[Sat Nov 21 10:00:00 2026] [mpm_event:notice] [pid 1] resuming",
    ),
    (
        Info,
        "[2026-11-21 10:00:00.000][1][info][main] [source/server/server.cc:1] x",
    ),
    (
        Warn,
        "2026-11-21T10:00:00.000000Z 0 [Warning] [MY-010068] CA certificate is self signed",
    ),
    (
        Info,
        "2026-11-21 10:00:00 0 [Note] mariadbd: ready for connections",
    ),
    (Info, "[INFO ] 2026-11-21 padded"),
    (Warn, "[ warn ] padded"),
    (
        Info,
        "2026-11-21T10:00:00.000Z\tinfo\tsetup/main.go:10\tstarting",
    ),
    (Error, "1.7e9\tERROR\tcontroller\tReconciler error"),
    (Error, "[10:00:00 ERR] Serilog says"),
    (Unknown, "[config] loaded 3 errors"),
    (Unknown, "[errors] none"),
    (Unknown, "a\tb\tc"),
    (Unknown, "array[error + 1]"),
    // Upper-case words.
    (
        Error,
        "2026-11-21 10:00:00,123 ERROR [http-nio-8080-exec-1] c.e.Shop - failed",
    ),
    (
        Warn,
        "2026-11-21 10:00:00.123  WARN 1 --- [main] o.s.b.Application : x",
    ),
    (
        Info,
        "10:00:00.123 [main] INFO  com.example.Main -- started",
    ),
    (Error, "2026-11-21 10:00:00 - app - ERROR - message"),
    (
        Info,
        "[2026-11-21 10:00:00,000: INFO/MainProcess] celery ready",
    ),
    (
        Error,
        "[2026-11-21T10:00:00+00:00] production.ERROR: monolog",
    ),
    (
        Error,
        "\u{1b}[2m2026-11-21T10:00:00Z\u{1b}[0m \u{1b}[31mERROR\u{1b}[0m target: x",
    ),
    (Warn, "\u{1b}[33mWARN\u{1b}[0m[0000] logrus on a terminal"),
    (Error, "10:00AM \u{1b}[1m\u{1b}[31mERR\u{1b}[0m zerolog"),
    (Info, "10:00AM INF zerolog"),
    (Debug, "2026-11-21 10:00:00|DEBUG|Program|NLog"),
    (
        Fatal,
        "2026-11-21 10:00:00.000 UTC [77] FATAL:  role \"x\" does not exist",
    ),
    (Trace, "TRACE something"),
    (Error, "an ERROR: occurred"),
    (Error, "ERROR"),
    (Error, "-ERROR-"),
    (Error, "INFOS ERRORS ERROR"),
    (Unknown, "NO_ERROR"),
    (Unknown, "ERROR_CODE 5"),
    (Unknown, "NO-ERROR"),
    (Unknown, "ERROR-CODE"),
    (Unknown, "ERROR=0 WARN=0"),
    (Unknown, "xERROR ERRORx ÄERROR"),
    (Unknown, "GET /INFO HTTP/1.1"),
    (Unknown, "TRACE / HTTP/1.1"),
    (Unknown, "state='ERROR'"),
    (Unknown, "value INF, -INF"),
    (Unknown, "GET HTTP POST UTC JSON WARNINGS"),
    // The first bytes.
    (
        Error,
        "E1121 12:07:39.334347       1 run.go:72] \"command failed\"",
    ),
    (
        Info,
        "I1121 12:07:42.644605       1 options.go:263] external host was not specified",
    ),
    (
        Warn,
        "W1121 12:02:28.715512       1 requestheader_controller.go:204] Unable to get",
    ),
    (Fatal, "F1121 12:02:28.715512       1 main.go:1] bye"),
    (Unknown, "E1121 was the room"),
    (Error, "<3>kernel: x"),
    (Info, "<30>Nov 21 10:00:00 host daemon: x"),
    (Unknown, "<192>x"),
    (Unknown, "<html>"),
    (Error, "ERROR:root:python says"),
    (Warn, "WARNING:py.warnings:x"),
    (Error, "fail: Microsoft.AspNetCore.Server.Kestrel[13]"),
    (Fatal, "crit: Program[0]"),
    (Info, "info: Microsoft.Hosting.Lifetime[14]"),
    (Warn, "warn: x"),
    (Debug, "dbug: x"),
    (Trace, "trce: x"),
    (Error, "error: cannot find x"),
    (Fatal, "fatal: not a git repository"),
    (Fatal, "panic: runtime error: index out of range"),
    (Fatal, "fatal error: all goroutines are asleep - deadlock!"),
    (Error, "Error: boom"),
    (Error, "Traceback (most recent call last):"),
    (
        Error,
        "Exception in thread \"main\" java.lang.RuntimeException: x",
    ),
    (Info, "LOG:  database system is ready to accept connections"),
    (Error, "SEVERE: Servlet.service() threw"),
    (Debug, "FINE: detail"),
    // Sentences.
    (Unknown, "no error found"),
    (Unknown, "errors=0 warnings=0"),
    (Unknown, "the error level is high, fatal even"),
    (Unknown, "information about warnings"),
    (Unknown, "error:handler:x"),
    (
        Unknown,
        "10.0.0.1 - - [21/Nov/2026:10:00:00 +0000] \"GET /error HTTP/1.1\" 200 5",
    ),
    (
        Unknown,
        "\tat com.example.ErrorHandler.run(ErrorHandler.java:1)",
    ),
    (Unknown, "plain"),
    (Unknown, ""),
];

#[test]
fn lines_of_real_loggers() {
    let wrong: Vec<_> = LINES
        .iter()
        .filter_map(|(expect, line)| {
            let found = level_of(line.as_bytes());
            (found != *expect).then(|| format!("{line:?}: found {found:?}, expected {expect:?}"))
        })
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_word_is_found_wherever_it_begins_in_the_head() {
    for at in 0..HEAD_BYTES + 20 {
        let line = format!("{} ERROR x", "x".repeat(at));
        let expect = if at + 7 <= HEAD_BYTES { Error } else { Unknown };
        assert_eq!(level_of(line.as_bytes()), expect, "{at}");
        let line = format!("{} [error] x", "x".repeat(at));
        let expect = if at + 8 <= HEAD_BYTES { Error } else { Unknown };
        assert_eq!(level_of(line.as_bytes()), expect, "{at}");
    }
}

#[test]
fn three_capitals_are_told_from_their_neighbours_in_the_table() {
    for byte in 0..=255_u8 {
        let word = u64::from_le_bytes([0, byte, byte, byte, 0xff, 0x7f, b'[', b'@']);
        let expect = if byte.is_ascii_uppercase() { 0x8000 } else { 0 };
        assert_eq!(three_upper(word), expect, "{byte}");
    }
}

proptest! {
    #[test]
    fn no_bytes_break_it(line: Vec<u8>, text in r#"[\{\}\[\]"\\:=\t<>\x1bm ELRO0-9a-zé_-]{0,300}"#) {
        level_of(&line);
        level_of(text.as_bytes());
        for key in ["evel", "\"evel", "\"level", "\"level\"", "\"level\":", "\"@l\"", "\"s\":\"", "level="] {
            level_of(format!("{{{text}{key}").as_bytes());
            level_of(format!("{text}{key}").as_bytes());
            level_of(format!("{key}{text}").as_bytes());
        }
    }
}
