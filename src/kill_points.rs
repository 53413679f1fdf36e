//! Where a test has the operator killed, between a request to count something and its answer. In a release none of this is there:
//! `fail` makes code of it only for tests, as they alone turn on its feature `failpoints`.

/// A place on the way of a use, in the order of the way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KillPoint {
    /// It was asked for by somebody who may, and nothing was done yet.
    Asked,
    /// It is with all others that one commit is made of.
    Gathered,
    /// The transaction has begun, and its meters are locked.
    Locked,
    /// It is decided, in memory.
    Decided,
    /// It is written in the transaction.
    Written,
    /// The transaction has only to be committed.
    Signed,
    /// It is on the disk, and nobody in the operator knows.
    Committed,
    /// It is in the sums in memory, and nobody was told.
    Summed,
    /// It is known what is to be answered, and nothing of it was sent.
    Answered,
}

impl KillPoint {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::Asked,
        Self::Gathered,
        Self::Locked,
        Self::Decided,
        Self::Written,
        Self::Signed,
        Self::Committed,
        Self::Summed,
        Self::Answered,
    ];

    /// How `FAILPOINTS` names it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Asked => "use-asked",
            Self::Gathered => "use-gathered",
            Self::Locked => "use-locked",
            Self::Decided => "use-decided",
            Self::Written => "use-written",
            Self::Signed => "use-signed",
            Self::Committed => "use-committed",
            Self::Summed => "use-summed",
            Self::Answered => "use-answered",
        }
    }

    /// Ends the operator by SIGKILL, where `FAILPOINTS` says so: `use-committed=10*off->return` does it after ten times.
    pub fn pass(self) {
        fail::fail_point!(self.name(), |_| {
            let _ = rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL);
        });
    }
}

/// What `FAILPOINTS` says, as long as this is kept; nothing in a release.
#[must_use]
pub fn listen() -> Option<fail::FailScenario<'static>> {
    fail::has_failpoints().then(fail::FailScenario::setup)
}
