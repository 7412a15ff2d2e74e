//! Capture: the service itself writes what comes into a hub to a container, partition by partition, whenever a
//! window of time has passed or so much has come, whichever is first (facts 3.5). It costs no egress. While the
//! container is away the events stay in the hub, and are written later; a file that was written and not
//! acknowledged is written again under the same name, and is there once.

use std::sync::Arc;

use crate::client::{Caller, Policy, Progress, Sdk};
use crate::ids::{Address, Execution, Item, Once, TypeId};
use crate::message::store::{Command, Operation, WriteVerb};
use crate::message::{Body, Cargo, Message};
use crate::node::Context;
use crate::observe::Outcome;
use crate::random::mix;
use crate::services::event_hubs::namespace::{Namespace, token};
use crate::services::replicas::Paired;
use crate::time::Span;

/// The number space of the timers and tags of the writer.
pub(super) const SPACE: u8 = 200;
/// A file that could not be written is tried again after this \[K\].
const AGAIN: Span = Span::mins(1);
/// So many events are put into one file at most, lest one message carries them all.
const MOST: usize = 10_000;

/// Where a hub is captured to, and when.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Settings {
    pub(super) to: Address,
    pub(super) window: Span,
    pub(super) size: u64,
    /// Its number among the groups of the hub: it reads like one.
    pub(super) group: usize,
}

/// A file on its way.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct File {
    hub: u16,
    partition: u16,
    /// The position after its last event.
    upto: u64,
}

/// What is under way for one partition.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Window {
    /// What has come since the last file.
    bytes: u64,
    /// Whether its end is planned.
    open: bool,
    /// Whether a file is being written.
    writing: bool,
}

/// The writer of the files of a namespace.
pub(super) fn writer(name: u64) -> Caller<File> {
    Caller::new(&Policy::default(), Sdk::Storage, name, SPACE)
}

impl Namespace {
    /// An event has come into a partition.
    pub(super) fn capture(&mut self, hub: usize, partition: usize, item: Item, cx: &mut Context<'_>) {
        let Some(size) = self.layout.hubs[hub].capture.as_ref().map(|capture| capture.size) else { return };
        let window = &mut self.live.windows[hub][partition];
        window.bytes += self.layout.size_of(item.stream);
        if window.bytes >= size {
            self.write_file(hub, partition, cx);
        } else {
            self.open_window(hub, partition, cx);
        }
    }

    /// Plans the end of the window. Events wait for it: it is work.
    fn open_window(&mut self, hub: usize, partition: usize, cx: &mut Context<'_>) {
        let Some(capture) = &self.layout.hubs[hub].capture else { return };
        let window = &mut self.live.windows[hub][partition];
        if !window.writing && !std::mem::replace(&mut window.open, true) {
            let about = (hub as u64) << 16 | partition as u64;
            cx.timer(capture.window, token::of(token::CAPTURE, about), true);
        }
    }

    /// After a crash, or when it begins to lead: what is not captured has a window of its own.
    pub(super) fn resume_captures(&mut self, cx: &mut Context<'_>) {
        for hub in 0..self.layout.hubs.len() {
            let Some(group) = self.layout.hubs[hub].capture.as_ref().map(|capture| capture.group) else {
                continue;
            };
            for partition in 0..self.store.logs[hub].len() {
                if self.store.logs[hub][partition].waiting(group) > 0 {
                    self.open_window(hub, partition, cx);
                }
            }
        }
    }

    /// A window has passed, or it is time to try again.
    pub(super) fn window_over(&mut self, about: u64, cx: &mut Context<'_>) {
        let (hub, partition) = ((about >> 16) as usize, (about & 0xffff) as usize);
        if let Some(window) = self.live.windows.get_mut(hub).and_then(|windows| windows.get_mut(partition))
            && std::mem::take(&mut window.open)
        {
            self.write_file(hub, partition, cx);
        }
    }

    fn write_file(&mut self, hub: usize, partition: usize, cx: &mut Context<'_>) {
        let Some(capture) = &self.layout.hubs[hub].capture else { return };
        if !self.serves() || std::mem::replace(&mut self.live.windows[hub][partition].writing, true) {
            return;
        }
        let (to, group) = (capture.to, capture.group);
        let log = &self.store.logs[hub][partition];
        let (items, upto) = log.read(log.place_of(group), MOST);
        let Some(first) = items.first().copied() else {
            self.live.windows[hub][partition] = Window::default();
            return;
        };
        let operation = Operation {
            verb: WriteVerb::Upsert,
            part: to.part,
            once: Once::NONE,
            by: 1,
            ttl: Span::FOREVER,
            kind: TypeId(0),
        };
        let run = mix(first.identity(), upto);
        let execution = Execution { run, message: run };
        let command = Command::Write { operations: Arc::new(vec![operation]), execution };
        let message = Message::new(Body::Store(command)).carrying(Cargo::of(items));
        let file = File { hub: hub as u16, partition: partition as u16, upto };
        self.live.writer.call(cx, to, message, file);
        self.written_files(cx);
    }

    /// Takes what the writer has to say.
    pub(super) fn written_files(&mut self, cx: &mut Context<'_>) {
        while let Some(progress) = self.live.writer.next() {
            let Progress::Finished(finished) = progress else { continue };
            let File { hub, partition, upto } = finished.owner;
            let (hub, partition) = (usize::from(hub), usize::from(partition));
            let Some(group) = self.layout.hubs[hub].capture.as_ref().map(|capture| capture.group) else {
                continue;
            };
            self.live.windows[hub][partition] = Window::default();
            if finished.outcome != Outcome::Ok {
                self.live.windows[hub][partition].open = true;
                let about = (hub as u64) << 16 | partition as u64;
                cx.timer(AGAIN, token::of(token::CAPTURE, about), true);
                continue;
            }
            self.settle(hub, partition, group, upto, cx);
            if self.store.logs[hub][partition].waiting(group) > 0 {
                self.open_window(hub, partition, cx);
            }
        }
    }
}
