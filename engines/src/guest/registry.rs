//! The registry: which code takes the place of which node.

use std::any::Any;
use std::collections::BTreeMap;
use std::error::Error;
use std::fmt;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use beaufort_sim::guest::request::Request;
use beaufort_sim::guest::{Mailbox, guests};
use beaufort_sim::plan::{Plan, PlanError};

use super::Guest;

/// Why a guest's code gave up.
pub type Failure = Box<dyn Error + Send + Sync>;

type Code = Pin<Box<dyn Future<Output = Result<(), Failure>> + Send>>;
type Program = Arc<dyn Fn(Guest) -> Code + Send + Sync>;

/// The programs that may take a node's place, by name.
#[derive(Clone, Default)]
pub struct Guests {
    programs: BTreeMap<String, Program>,
}

impl Guests {
    /// None.
    #[must_use]
    pub fn new() -> Guests {
        Guests::default()
    }

    /// The same with one more, under the name by which a scenario knows it: `program:` of a node of
    /// `kind: guest`, or the name of the node. It is called once for each life of each replica. One that was
    /// registered under this name before is replaced.
    #[must_use]
    pub fn with<F, Fut>(mut self, name: &str, program: F) -> Guests
    where
        F: Fn(Guest) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<(), Failure>> + Send + 'static,
    {
        let boxed = move |guest| -> Code { Box::pin(program(guest)) };
        self.programs.insert(name.to_owned(), Arc::new(boxed));
        self
    }

    /// The names, sorted.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.programs.keys().map(String::as_str)
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.programs.is_empty()
    }

    /// Whether every guest of the plan is registered.
    ///
    /// # Errors
    /// Each that is not, with the names that are.
    pub fn check(&self, plan: &Plan) -> Result<(), Vec<PlanError>> {
        let missing = guests(plan).filter(|(_, program)| !self.programs.contains_key(*program));
        let errors: Vec<PlanError> = missing
            .map(|(node, program)| {
                let message = format!("`{node}` is a guest, and there is no program `{program}`");
                let error = PlanError::at(&["nodes", node], message).word("guest");
                error.help(self.known())
            })
            .collect();
        if errors.is_empty() { Ok(()) } else { Err(errors) }
    }

    fn known(&self) -> String {
        if self.programs.is_empty() {
            return "none is registered: `Guests::new().with(NAME, |guest| async move { … })`".to_owned();
        }
        format!("registered are: {}", self.names().collect::<Vec<_>>().join(", "))
    }

    /// The guest that is to be started at this door now, if one is: spawn it. Ask after every turn of its
    /// process.
    #[must_use]
    pub fn start(&self, mailbox: &Arc<Mailbox>) -> Option<Running> {
        let epoch = mailbox.take_start()?;
        let guest = Guest::new(Arc::clone(mailbox), epoch);
        let code: Code = match self.programs.get(mailbox.program()) {
            Some(program) => {
                let (program, guest) = (Arc::clone(program), guest.clone());
                Box::pin(async move { program(guest).await })
            }
            None => {
                let missing = format!("there is no program `{}`; {}", mailbox.program(), self.known());
                Box::pin(async move { Err(missing.into()) })
            }
        };
        Some(Running { guest, code: Some(code) })
    }
}

impl fmt::Debug for Guests {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.names()).finish()
    }
}

/// One life of a guest. Completes when its code returns, fails or panics, and leaves word of that at its
/// door; dropped, it is gone without a word.
pub struct Running {
    guest: Guest,
    code: Option<Code>,
}

impl Future for Running {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let Some(code) = &mut self.code else { return Poll::Ready(()) };
        // A panic ends the guest, not the run: it is a bug that the run is there to find.
        let polled = catch_unwind(AssertUnwindSafe(|| code.as_mut().poll(cx)));
        let error = match polled {
            Ok(Poll::Pending) => return Poll::Pending,
            Ok(Poll::Ready(Ok(()))) => None,
            Ok(Poll::Ready(Err(failure))) => Some(failure.to_string()),
            Err(panic) => Some(format!("panicked: {}", words(panic.as_ref()))),
        };
        // What it still held is dropped before it is said that it ended.
        self.code = None;
        self.guest.tell(Request::Exit { error });
        Poll::Ready(())
    }
}

impl fmt::Debug for Running {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Running").field(&self.guest).finish()
    }
}

fn words(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("for no stated reason")
}
