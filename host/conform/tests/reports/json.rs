use std::io::Write as _;
use std::process::{Command, Stdio};

use loopgate::is_printable;
use loopgate_conform::report::SCHEMA;
use serde_json::Value;

use super::{HOSTILE, all, fixture};

const PUBLISHED: &str = include_str!("../../report.schema.json");

#[test]
fn reports_keep_the_published_schema() {
    let schema: Value = serde_json::from_str(PUBLISHED).unwrap();
    assert_eq!(schema["$id"], SCHEMA);
    let mut closed = schema.clone();
    close(&mut closed);
    for report in all() {
        let report: Value = serde_json::from_str(&report.to_json()).unwrap();
        let both = serde_json::json!([closed, report]);
        if let Some(complaint) = complaint(&both) {
            assert!(complaint.is_empty(), "{complaint}");
        }
    }
}

#[test]
fn the_schema_refuses_what_is_no_report() {
    let mut schema: Value = serde_json::from_str(PUBLISHED).unwrap();
    close(&mut schema);
    let good: Value = serde_json::from_str(&fixture::mixed().to_json()).unwrap();
    let changes: [fn(&mut Value); 4] = [
        |report| report["seed"] = (-1).into(),
        |report| report["checks"][0]["outcome"]["result"] = "perhaps".into(),
        |report| report["scenarios"][0]["length-ms"] = 1.into(),
        |report| report["sha256"] = "none".into(),
    ];
    for change in changes {
        let mut report = good.clone();
        change(&mut report);
        let complaint = complaint(&serde_json::json!([schema, report]));
        assert_ne!(complaint.as_deref(), Some(""));
    }
}

#[test]
fn a_terminal_shows_it_as_it_is() {
    let text = fixture::hostile(HOSTILE).to_json();
    assert!(text.chars().all(|c| c == '\n' || is_printable(c)), "{text}");
    let read: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(read["scenarios"][0]["title"], HOSTILE);
}

/// Leaves no room for fields that the schema does not describe.
fn close(schema: &mut Value) {
    if let Value::Object(fields) = schema {
        if fields.contains_key("required") {
            fields.insert("additionalProperties".to_owned(), false.into());
        }
        fields.values_mut().for_each(close);
    }
    if let Value::Array(items) = schema {
        items.iter_mut().for_each(close);
    }
}

/// What a validator has to say against `[schema, report]`; nothing where there is none.
fn complaint(both: &Value) -> Option<String> {
    const VALIDATE: &str = "\
import json, sys
try:
    from jsonschema import Draft202012Validator as Validator
except ImportError:
    sys.exit(77)
schema, report = json.load(sys.stdin)
Validator.check_schema(schema)
for error in Validator(schema).iter_errors(report):
    print(error.json_path, error.message[:200])
";
    let mut python = Command::new("python3");
    let python = python.args(["-c", VALIDATE]).stdin(Stdio::piped());
    let Ok(mut child) = python.stdout(Stdio::piped()).spawn() else {
        eprintln!("SKIPPED: there is no python3 to validate the report with");
        return None;
    };
    let mut stdin = child.stdin.take().unwrap();
    // A validator that is missing does not read.
    let _ = stdin.write_all(both.to_string().as_bytes());
    drop(stdin);
    let output = child.wait_with_output().unwrap();
    if output.status.code() == Some(77) {
        eprintln!("SKIPPED: python3 has no jsonschema to validate the report with");
        return None;
    }
    assert!(output.status.success(), "the validator failed");
    Some(String::from_utf8(output.stdout).unwrap())
}
