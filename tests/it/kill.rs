//! A workflow of 20 steps killed at random moments (meow, a step, or both) and resumed: nothing that was acknowledged runs
//! again, nothing is lost, and what comes out is what an undisturbed run gives.

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};
use std::process::{Child, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use meow::record::Outcome;
use meow::store::spool::{Spool, Spooled};

use crate::space::Space;

const STEPS: usize = 20;

/// What a step does: it notes its start in its own books, takes a while, makes its output of those that it needs, and
/// notes its end.
const STEP: &str = r#"id=$1; shift
echo "start $id $MEOW_ATTEMPT $MEOW_EXECUTION $$" >>"$HOME/books"
sleep 0.01
{ echo "$id"; for need; do cat "out/$need"; done; } | cksum >"out/$id.$$" && mv "out/$id.$$" "out/$id"
echo "end $id $MEOW_ATTEMPT $MEOW_EXECUTION $$" >>"$HOME/books"
"#;

/// Seeded random numbers (xorshift64*: Vigna 2016).
struct Dice(u64);

impl Dice {
    fn below(&mut self, end: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) % end
    }
}

/// What many points came to.
#[derive(Debug, Default)]
struct Tally {
    points: u32,
    /// By who was killed: meow, a step, both.
    who: [u32; 3],
    /// Steps that were acknowledged when meow died.
    acknowledged: usize,
    /// Of these, how many ran again.
    ran_again: usize,
    /// Steps without their output at the end, or with another one than an undisturbed run gives.
    lost: usize,
    differ: usize,
    /// Steps that were running, and how many of these did not count as one attempt more.
    in_flight: usize,
    not_counted: usize,
    /// Steps that had ended by their own books and were not acknowledged yet: they ran again.
    too_late: usize,
    /// Of these, how many had a step after them begun already.
    overtaken: usize,
}

impl Tally {
    fn add(&mut self, other: &Self) {
        self.points += other.points;
        for (own, theirs) in self.who.iter_mut().zip(other.who) {
            *own += theirs;
        }
        self.acknowledged += other.acknowledged;
        self.ran_again += other.ran_again;
        self.lost += other.lost;
        self.differ += other.differ;
        self.in_flight += other.in_flight;
        self.not_counted += other.not_counted;
        self.too_late += other.too_late;
        self.overtaken += other.overtaken;
    }
}

struct Play {
    space: Space,
    /// How long a run takes at present, in milliseconds: kills fall within it.
    usual: Cell<u64>,
    needs: Vec<Vec<usize>>,
    expected: BTreeMap<String, String>,
}

impl Play {
    fn new(dice: &mut Dice) -> Self {
        let space = Space::repository();
        let mut needs: Vec<Vec<usize>> = Vec::new();
        let mut text = "formula = \"ci\"\nversion = 1\n".to_owned();
        for at in 0..STEPS {
            let mut own: BTreeSet<usize> = BTreeSet::new();
            for _ in 0..dice.below(4) {
                if at > 0 {
                    own.insert(usize::try_from(dice.below(at as u64)).expect("small"));
                }
            }
            let own: Vec<usize> = own.into_iter().collect();
            let names: Vec<String> = own.iter().map(|need| name(*need)).collect();
            text.push_str(&format!(
                "\n[[steps]]\nid = \"{id}\"\nneeds = {names:?}\nrun = \"sh ./step {id} {}\"\n",
                names.join(" "),
                id = name(at)
            ));
            needs.push(own);
        }
        space.write("step", STEP);
        space.write(".meow/workflows/ci.toml", &text);
        space.git(&["add", "."]);
        space.git(&["commit", "--quiet", "--message=steps"]);
        let mut play = Self { space, usual: Cell::new(0), needs, expected: BTreeMap::new() };
        play.clear();
        let began = Instant::now();
        play.space.meow_ok(&["execute", "-j3"]);
        play.usual.set(u64::try_from(began.elapsed().as_millis()).expect("soon"));
        play.expected = play.outputs();
        assert_eq!(play.expected.len(), STEPS);
        play
    }

    fn clear(&self) {
        let _ = std::fs::remove_dir_all(self.space.root().join("out"));
        let _ = std::fs::remove_dir_all(self.space.root().join(".git/meow"));
        let _ = std::fs::remove_file(self.space.home().join("books"));
        std::fs::create_dir(self.space.root().join("out")).expect("out");
    }

    /// Returns the outputs by step; what a killed step left half done has another name.
    fn outputs(&self) -> BTreeMap<String, String> {
        let folder = std::fs::read_dir(self.space.root().join("out")).expect("out").flatten();
        let file = |entry: std::fs::DirEntry| {
            let name = entry.file_name().into_string().expect("plain");
            (!name.contains('.')).then(|| (name, std::fs::read_to_string(entry.path()).expect("an output")))
        };
        folder.filter_map(file).collect()
    }

    /// Returns the steps' own books: what, step, attempt, execution, process.
    fn books(&self) -> Vec<[String; 5]> {
        let text = std::fs::read_to_string(self.space.home().join("books")).unwrap_or_default();
        let words = |line: &str| line.split(' ').map(str::to_owned).collect::<Vec<_>>().try_into().ok();
        text.lines().filter_map(words).collect()
    }

    fn start(&self, args: &[&str]) -> Child {
        let mut command = self.space.command(&self.space.root(), env!("CARGO_BIN_EXE_meow"));
        command.args(args).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("meow")
    }

    /// Returns what journals say: steps that passed, and the last attempt of those that were running.
    fn journals(&self) -> (BTreeSet<String>, BTreeMap<String, u32>) {
        let (mut passed, mut running) = (BTreeSet::new(), BTreeMap::new());
        for spooled in self.spool() {
            for attempt in spooled.read().expect("a journal").attempts {
                if attempt.outcome == Outcome::Passed {
                    passed.insert(attempt.step);
                } else if attempt.duration_ms.is_none() {
                    let last = running.entry(attempt.step).or_insert(0);
                    *last = attempt.attempt.max(*last);
                }
            }
        }
        (passed, running)
    }

    /// Kills one run, after `wait`: meow, a step, or both. Returns false where it had ended before.
    fn kill(&self, args: &[&str], who: u64, wait: Duration) -> bool {
        let mut child = self.start(args);
        std::thread::sleep(wait);
        let books = self.books();
        let ended: BTreeSet<&String> = books.iter().filter(|line| line[0] == "end").map(|line| &line[4]).collect();
        let step =
            books.iter().find(|line| line[0] == "start" && !ended.contains(&line[4])).map(|line| line[4].clone());
        if child.try_wait().expect("a state").is_some() {
            // It is quicker than it was.
            self.usual.set((self.usual.get() * 9 / 10).max(50));
            return false;
        }
        if who != 0 && step.is_none() {
            let _ = child.kill();
            let _ = child.wait();
            return false;
        }
        if who != 1 {
            child.kill().expect("killed");
        }
        if let Some(pid) = step.filter(|_| who != 0) {
            let _ = std::process::Command::new("kill").args(["-9", &pid]).stderr(Stdio::null()).status();
        }
        // A killed step may fail the execution, or have ended just before.
        let status = child.wait().expect("its end");
        !status.success()
    }

    fn point(&self, dice: &mut Dice, tally: &mut Tally) {
        let who = dice.below(3);
        loop {
            self.clear();
            let usual = self.usual.get();
            if !self.kill(&["execute", "ci", "-j3"], who, Duration::from_millis(dice.below(usual))) {
                continue;
            }
            // Some die again while they are resumed.
            if dice.below(3) == 0 && self.spooled() {
                self.check_kept(&["execute", "--resume", "-j3"], Some((dice.below(3), dice.below(usual))), tally);
            }
            break;
        }
        tally.points += 1;
        tally.who[usize::try_from(who).expect("small")] += 1;
        if self.spooled() {
            self.check_kept(&["execute", "--resume", "-j3"], None, tally);
        } else {
            // It died before it could say that it had begun.
            self.check_kept(&["execute", "ci", "-j3"], None, tally);
        }
        let outputs = self.outputs();
        tally.lost += self.expected.keys().filter(|step| !outputs.contains_key(*step)).count();
        tally.differ += outputs.iter().filter(|(step, text)| self.expected.get(*step) != Some(text)).count();
    }

    fn spooled(&self) -> bool {
        !self.spool().is_empty()
    }

    fn spool(&self) -> Vec<Spooled> {
        Spool::new(&self.space.root().join(".git/meow")).list().expect("a spool")
    }

    /// Runs on, and holds what ran against what was acknowledged before.
    fn check_kept(&self, args: &[&str], again: Option<(u64, u64)>, tally: &mut Tally) {
        let (passed, running) = self.journals();
        // What the killed meow left running may go on until it is ended, and note its start only now.
        let old: BTreeSet<String> = self.spool().iter().map(|spooled| spooled.execution.to_string()).collect();
        let before = self.books();
        if let Some((who, wait)) = again {
            self.kill(args, who, Duration::from_millis(wait));
        } else {
            let said = self.space.meow(args);
            let nothing_left = said.code == 2 && said.err.contains("nothing is left to do");
            assert!(said.code == 0 || nothing_left, "{}{}", said.out, said.err);
        }
        let books = self.books();
        let starts: Vec<&[String; 5]> =
            books[before.len()..].iter().filter(|line| line[0] == "start" && !old.contains(&line[3])).collect();
        tally.acknowledged += passed.len();
        tally.ran_again += starts.iter().filter(|line| passed.contains(&line[1])).count();
        for line in &starts {
            if let Some(last) = running.get(&line[1]).filter(|_| !passed.contains(&line[1])) {
                tally.in_flight += 1;
                tally.not_counted += usize::from(line[2].parse::<u32>().is_ok_and(|attempt| attempt <= *last));
            }
            if before.iter().any(|known| known[0] == "end" && known[1] == line[1]) && !passed.contains(&line[1]) {
                tally.too_late += 1;
                let at: usize = line[1][1..].parse().expect("a number");
                let follows = |known: &[String; 5]| {
                    let other: usize = known[1][1..].parse().expect("a number");
                    known[0] == "start" && self.needs[other].contains(&at)
                };
                tally.overtaken += usize::from(before.iter().any(follows));
            }
        }
    }
}

fn name(at: usize) -> String {
    format!("s{at:02}")
}

#[expect(clippy::print_stdout, clippy::print_stderr, reason = "numbers for people, and why there are none")]
fn points(count: u32, seed: u64) {
    if !cfg!(target_os = "linux") {
        eprintln!("skipped: what a killed meow leaves running is ended on Linux only");
        return;
    }
    let began = Instant::now();
    let left = AtomicU32::new(count);
    // Steps wait more than they work: more plays than processors keep these busy.
    let plays =
        u64::from(count.div_ceil(8)).min(2 * std::thread::available_parallelism().map_or(1, |n| n.get() as u64));
    let play = &|number: u64| {
        let mut dice = Dice(seed + number);
        let mut tally = Tally::default();
        let play = Play::new(&mut dice);
        while left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)).is_ok() {
            play.point(&mut dice, &mut tally);
        }
        tally
    };
    let mut tally = Tally::default();
    std::thread::scope(|scope| {
        let plays: Vec<_> = (1..=plays).map(|number| scope.spawn(move || play(number))).collect();
        for one in plays {
            tally.add(&one.join().expect("a play to its end"));
        }
    });
    println!("{tally:#?}\nin {:.0?}", began.elapsed());
    assert!(tally.acknowledged > 0 && tally.in_flight > 0, "nothing was at stake: {tally:?}");
    assert_eq!((tally.ran_again, tally.lost, tally.differ, tally.not_counted), (0, 0, 0, 0), "{tally:?}");
}

#[test]
fn killed_at_a_few_points_it_resumes() {
    points(8, 0x6d65_6f77);
}

#[test]
#[ignore = "the long form: some ten minutes; MEOW_KILL_POINTS and MEOW_KILL_SEED change its length and its times"]
fn killed_at_a_thousand_points_it_resumes() {
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse().ok());
    points(
        number("MEOW_KILL_POINTS").map_or(1_000, |points: u32| points),
        number("MEOW_KILL_SEED").map_or(7, u64::from),
    );
}
