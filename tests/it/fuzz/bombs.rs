//! Small files that claim, or open into, far more: nesting, lists of nothing, runs of one value, entities.

use std::collections::BTreeMap;
use std::sync::Arc;

use meow::record::{Attempt, ExecutionId, Record};
use meow::store::segment;

use crate::store::execution;

/// Returns texts that every reader of text is given.
pub fn texts() -> Vec<Vec<u8>> {
    let full = |part: &str| part.repeat((1 << 20) / part.len());
    let kib = |part: &str| part.repeat((250 << 10) / part.len());
    let joined = |count: usize, each: &dyn Fn(usize) -> String| (0..count).map(each).collect::<Vec<_>>().concat();
    let steps = joined(9_000, &|at| format!("[[steps]]\nid='s{at}'\nrun='a'\nneeds=['s{}']\n", at + 1));
    let tables = joined(60_000, &|at| format!("[t{at}]\n"));
    let laughs = joined(19, &|at| format!("<!ENTITY a{} \"{}\">", at + 1, format!("&a{at};").repeat(10)));
    let mut texts = vec![
        full("["),
        full("{\"a\":"),
        full("{a="),
        full("<a>"),
        full("<testsuite name='a'>"),
        full("\n"),
        full("\""),
        full("'"),
        full("a = 1\n"),
        // Brackets that close nothing, after which a parser's own limit of depth is far away.
        format!("a={{{}a={}", "[]".repeat(60_000), "{a=".repeat(40_000)),
        format!("a={{{}a={}", "{}".repeat(60_000), "[".repeat(100_000)),
        full("[[steps]]\n"),
        full("{{a}}"),
        full("\\"),
        format!("{}=1", kib("a.")),
        format!("[{}a]", kib("a.")),
        format!("a={}", kib("[")),
        format!("a=[{}]", kib("{},")),
        format!("a=[{}]", kib("[],")),
        format!("[{}[0]]", full("[0],")),
        format!("[{}[[0]]]", full("[[[[[[[[0]]]]]]]],")),
        format!("[{}{{}}]", full("{},")),
        format!("[{}{{}}]", full("{\"a\":0},")),
        format!("[{}0]", full("0,")),
        format!("{{\"a\":\"{}\"}}", full("x")),
        format!("[{{\"ph\":\"X\",\"name\":\"a\",\"pid\":[{}0]}}]", full("[[[[[[[[0]]]]]]]],")),
        format!("[{}{{\"ph\":\"X\"}}]", full("{\"ph\":\"B\"},")),
        format!("{{\"results\":[{}{{}}]}}", full("{\"command\":\"\",\"times\":[0]},")),
        format!("<!DOCTYPE t [<!ENTITY a0 \"{}\">{laughs}]><testsuite name='&a19;'></testsuite>", "x".repeat(100)),
        format!("<testsuite{}></testsuite>", full(" a='b'")),
        format!("<testsuite name='{}'><testcase name='a'/></testsuite>", full("x")),
        format!("<testsuite>{}</testsuite>", full("<testcase name='a'/>")),
        format!("# ninja log v7\n{}", full("0\t1\t0\ta\tb\n")),
        format!("formula='a'\n[vars]\na='{}'\n[[steps]]\nid='s'\nrun='{}'\n", "x".repeat(1_000), kib("{{a}}")),
        format!("formula='a'\n{steps}"),
        format!("formula='a'\n[vars]\na={{pattern='{}'}}\n", kib("[")),
        tables,
    ];
    for text in &mut texts {
        text.truncate(super::mutate::LARGEST);
    }
    texts.into_iter().map(String::into_bytes).collect()
}

/// Returns segments that hold as much as meow lets them, or claim more.
pub fn segments() -> Vec<Vec<u8>> {
    let rows = |count: u32, each: &dyn Fn(u32) -> Record| -> Vec<u8> {
        segment::encode(&(0..count).map(each).collect::<Vec<_>>()).expect("encoded")
    };
    let blank = |id: u32| {
        let mut bytes = [0; 12];
        bytes[..4].copy_from_slice(&id.to_be_bytes());
        Arc::new(meow::record::Execution {
            id: ExecutionId::from_bytes(bytes),
            workflow: String::new(),
            trigger: String::new(),
            machine: None,
            variables: BTreeMap::new(),
            ..execution(1)
        })
    };
    vec![
        // As many executions as a MiB can hold, every text empty.
        rows(24_000, &|at| Record { execution: blank(at), attempt: Attempt::new("", 1) }),
        // One row with very many needs.
        rows(1, &|at| Record {
            execution: blank(at),
            attempt: Attempt { needs: vec![String::new(); 200_000], ..Attempt::new("s", 1) },
        }),
        // One row with a very long text.
        rows(1, &|at| Record { execution: blank(at), attempt: Attempt::new("x".repeat(900_000), 1) }),
    ]
}
