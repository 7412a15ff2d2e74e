//! The door between a guest, which is ordinary async code outside the world, and the process that stands
//! for it inside. The guest leaves requests and awaits replies; the process takes the requests when it is
//! poked. Nothing here runs by itself, and nothing needs a runtime.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use crate::guest::request::{Reply, Request};
use crate::time::Time;

/// The door of one replica of a guest. Requests are handled in the order in which they were left.
pub struct Mailbox {
    node: String,
    program: String,
    replica: u16,
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    /// Which life of the guest this is; 0: none yet.
    epoch: u64,
    /// Whether the guest of this epoch may ask.
    open: bool,
    /// Whether a guest is to be started.
    wanted: bool,
    last: u64,
    letters: VecDeque<(u64, Request)>,
    /// The replies that somebody still waits for.
    slots: BTreeMap<u64, Slot>,
    poke: Option<Waker>,
    now: Time,
    wall: Time,
    last_words: Option<String>,
}

#[derive(Default)]
struct Slot {
    reply: Option<Reply>,
    waker: Option<Waker>,
}

impl Mailbox {
    /// A door at which nobody has been yet.
    #[must_use]
    pub fn new(node: &str, program: &str, replica: u16) -> Arc<Mailbox> {
        let (node, program) = (node.to_owned(), program.to_owned());
        Arc::new(Mailbox { node, program, replica, inner: Mutex::default() })
    }

    /// The node of the scenario.
    #[must_use]
    pub fn node(&self) -> &str {
        &self.node
    }

    /// Which program takes the node's place.
    #[must_use]
    pub fn program(&self) -> &str {
        &self.program
    }

    /// The number of the replica, from 0.
    #[must_use]
    pub fn replica(&self) -> u16 {
        self.replica
    }

    /// A panic of the guest's own code does not happen while the lock is held.
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    // -- For the host: whoever lets processes and guests run. --

    /// Whether a guest is to be started now; true once for each life. Returns its epoch. Ask after every
    /// turn of the process.
    #[must_use]
    pub fn take_start(&self) -> Option<u64> {
        let mut inner = self.lock();
        std::mem::take(&mut inner.wanted).then_some(inner.epoch)
    }

    /// Whether the guest of this life may ask: if not, it is to be dropped.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.lock().open
    }

    /// Whether something has been left for the process.
    #[must_use]
    pub fn has_requests(&self) -> bool {
        !self.lock().letters.is_empty()
    }

    /// Wakes this one as soon as something is left. One waker only; a later call replaces it.
    pub fn on_poke(&self, waker: &Waker) {
        let mut inner = self.lock();
        match &mut inner.poke {
            Some(known) => known.clone_from(waker),
            none => *none = Some(waker.clone()),
        }
    }

    /// Completes as soon as something is left for the process: then give it
    /// [`Input::Poke`](crate::node::Input::Poke). Cancel safe.
    pub async fn poked(&self) {
        std::future::poll_fn(|cx| {
            self.on_poke(cx.waker());
            if self.has_requests() { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
    }

    /// What the clocks of the guest show. The process sets them at every turn; a host that polls a guest
    /// at other times sets them before it does.
    pub fn set_now(&self, local: Time, wall: Time) {
        let mut inner = self.lock();
        (inner.now, inner.wall) = (local, wall);
    }

    /// Why the guest last ended in an error, in its own words.
    #[must_use]
    pub fn last_words(&self) -> Option<String> {
        self.lock().last_words.clone()
    }

    // -- For the process. --

    /// A new life begins: a guest is to be started.
    pub fn begin(&self) {
        let mut inner = self.lock();
        inner.epoch += 1;
        inner.open = true;
        inner.wanted = true;
    }

    /// The life is over: what was left is thrown away, and whoever waits for a reply gets none.
    pub fn close(&self) {
        let mut inner = self.lock();
        inner.open = false;
        inner.wanted = false;
        inner.letters.clear();
        let slots = std::mem::take(&mut inner.slots);
        drop(inner);
        slots.into_values().filter_map(|slot| slot.waker).for_each(Waker::wake);
    }

    /// Takes the next request, with the number by which it is answered.
    pub fn next(&self) -> Option<(u64, Request)> {
        self.lock().letters.pop_front()
    }

    /// Answers a request. False if nobody waits for the reply any more.
    pub fn reply(&self, request: u64, reply: Reply) -> bool {
        let mut inner = self.lock();
        let Some(slot) = inner.slots.get_mut(&request) else { return false };
        slot.reply = Some(reply);
        let waker = slot.waker.take();
        drop(inner);
        if let Some(waker) = waker {
            waker.wake();
        }
        true
    }

    /// Keeps why the guest ended.
    pub fn keep_last_words(&self, words: String) {
        self.lock().last_words = Some(words);
    }

    // -- For the guest's client. --

    /// The guest's monotonic and wall clock.
    #[must_use]
    pub fn clocks(&self) -> (Time, Time) {
        let inner = self.lock();
        (inner.now, inner.wall)
    }

    /// Leaves a request and awaits the reply. A guest of an earlier life gets [`Reply::Gone`].
    #[must_use]
    pub fn ask(self: &Arc<Self>, epoch: u64, request: Request) -> Asked {
        let id = self.leave(epoch, request, true);
        Asked { mailbox: Arc::clone(self), id }
    }

    /// Leaves a request to which there is no reply.
    pub fn tell(&self, epoch: u64, request: Request) {
        let _ = self.leave(epoch, request, false);
    }

    fn leave(&self, epoch: u64, request: Request, waits: bool) -> Option<u64> {
        let mut inner = self.lock();
        if epoch != inner.epoch || !inner.open {
            return None;
        }
        inner.last += 1;
        let id = inner.last;
        inner.letters.push_back((id, request));
        if waits {
            inner.slots.insert(id, Slot::default());
        }
        let poke = inner.poke.clone();
        drop(inner);
        if let Some(waker) = poke {
            waker.wake();
        }
        Some(id)
    }

    /// Takes the reply; `None`: not yet.
    fn poll(&self, id: u64, waker: &Waker) -> Option<Reply> {
        let mut inner = self.lock();
        let Some(slot) = inner.slots.get_mut(&id) else { return Some(Reply::Gone) };
        if slot.reply.is_some() {
            return inner.slots.remove(&id).and_then(|slot| slot.reply);
        }
        slot.waker = Some(waker.clone());
        None
    }

    /// The reply is not wanted any more.
    fn withdraw(&self, id: u64) {
        let mut inner = self.lock();
        if inner.slots.remove(&id).is_none() {
            return;
        }
        if let Some(index) = inner.letters.iter().position(|(known, _)| *known == id) {
            inner.letters.remove(index);
            return;
        }
        let epoch = inner.epoch;
        drop(inner);
        self.tell(epoch, Request::Withdraw { request: id });
    }
}

/// Neither addresses nor what lies in it: two that are equally used look the same.
impl fmt::Debug for Mailbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Mailbox({}#{})", self.node, self.replica)
    }
}

/// A request that has been left. Dropped before the reply is taken, it is withdrawn: a message that was
/// handed over in the meantime goes back to the head of the receiver's buffer.
#[derive(Debug)]
pub struct Asked {
    mailbox: Arc<Mailbox>,
    id: Option<u64>,
}

impl Asked {
    /// The number of the request; a message that is received is known by it. `None`: it was refused.
    #[must_use]
    pub fn id(&self) -> Option<u64> {
        self.id
    }
}

impl Future for Asked {
    type Output = Reply;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Reply> {
        let Some(id) = self.id else { return Poll::Ready(Reply::Gone) };
        match self.mailbox.poll(id, cx.waker()) {
            Some(reply) => {
                self.id = None;
                Poll::Ready(reply)
            }
            None => Poll::Pending,
        }
    }
}

impl Drop for Asked {
    fn drop(&mut self) {
        if let Some(id) = self.id {
            self.mailbox.withdraw(id);
        }
    }
}
