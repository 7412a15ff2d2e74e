//! The exit codes. They are a stable interface: scripts and pipelines depend on them.

/// How a command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    /// The verdict is pass, or degraded without `--strict`; a command without a verdict succeeded.
    Done = 0,
    /// A contract or an objective is violated.
    Violated = 1,
    /// The arguments or the scenario cannot be used, or an output cannot be written.
    BadInput = 2,
    /// Nothing is violated, but not enough happened to say that it holds.
    Inconclusive = 3,
    /// The arguments are right and select nothing.
    NothingSelected = 4,
    /// Degraded under `--strict`.
    Degraded = 5,
    /// A defect of Beaufort itself.
    Internal = 70,
    /// Interrupted from the keyboard.
    Interrupted = 130,
}

impl Exit {
    /// The code.
    #[must_use]
    pub fn code(self) -> u8 {
        self as u8
    }
}

/// The paragraph about exit codes below every `--help`.
pub(super) const HELP: &str = "\
Exit codes:
    0  pass, or degraded without --strict; done
    1  violated
    2  bad input: arguments, scenario, or an output that cannot be written
    3  inconclusive
    4  nothing selected
    5  degraded, with --strict
   70  internal error: a defect of Beaufort itself
  130  interrupted";
