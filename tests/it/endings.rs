//! How attempts end, where that takes more than an exit code: limits that are tried again, stopped programs, bare scripts.

use crate::space::{Said, Space};

/// Executes one workflow of steps, each an id, a command and further keys.
fn execute(space: &Space, steps: &[(&str, &str, &str)], args: &[&str]) -> Said {
    let mut text = "formula = \"ci\"\n".to_owned();
    for (id, command, keys) in steps {
        text.push_str(&format!("\n[[steps]]\nid = \"{id}\"\nrun = '''{command}'''\n{keys}\n"));
    }
    space.write(".meow/workflows/ci.toml", &text);
    space.meow(&[&["execute"], args].concat())
}

#[test]
fn a_time_limit_is_tried_again_where_the_step_says_so_and_nowhere_else() {
    let step = "test -e second && exit; touch second; exec sleep 60";
    for (on, code, last) in [("timeout", 0, "attempt 2"), ("signal", 1, "was stopped at its time limit of 300 ms")] {
        let space = Space::repository();
        let keys = format!("timeout = \"300ms\"\nretry = {{ attempts = 2, backoff = \"10ms\", on = [\"{on}\"] }}");
        let said = execute(&space, &[("hangs", step, &keys)], &[]);
        assert!(said.code == code && format!("{}{}", said.out, said.err).contains(last), "{on}: {said:?}");
    }
}

#[test]
fn a_stopped_program_hears_that_it_shall_end() {
    let space = Space::repository();
    let step = "trap 'touch tidied; exit 9' TERM; kill -STOP $$; while :; do sleep 0.02; done";
    let said = execute(&space, &[("stopped", step, "timeout = \"500ms\"")], &[]);
    assert_eq!((said.code, space.has("tidied")), (1, true), "{said:?}");
}

#[test]
fn a_script_that_names_no_interpreter_is_the_shells() {
    let space = Space::repository();
    space.write("bare", "touch found\n");
    let run = [("mode", "chmod +x bare", ""), ("bare", "./bare", "needs = [\"mode\"]")];
    let said = execute(&space, &run, &[]);
    assert_eq!((said.code, space.has("found")), (0, true), "{said:?}");
}

#[test]
fn of_several_failures_the_first_one_gives_the_exit_code() {
    let space = Space::repository();
    let later = "until test -e failed; do sleep 0.02; done; sleep 0.2; exit 4";
    let steps = [("later", later, ""), ("sooner", "touch failed; exit 3", "")];
    let said = execute(&space, &steps, &["--keep-going", "--exit-code", "--slots", "2"]);
    assert_eq!(said.code, 3, "{said:?}");
}
