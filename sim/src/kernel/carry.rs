//! How the world carries messages: what arrives, what stalls, what is reset, and who learns of it when.

use crate::ids::{ConnectionId, FaultMask, ProcessId};
use crate::kernel::hosted::Freight;
use crate::kernel::queue::Entry;
use crate::kernel::world::{Alarm, Flight, Origin, World};
use crate::message::{Body, Message};
use crate::network::transport::Fate;
use crate::network::{Sending, Silence, Speech};
use crate::node::shell::Presence;
use crate::node::{CloseReason, Input};
use crate::observe::{Sink, Symptom, What};
use crate::time::{Span, Time};

impl World {
    /// A process calls another: on the connection that it has to it, or on a new one.
    pub(super) fn call(
        &mut self,
        from: ProcessId,
        to: ProcessId,
        message: &mut Message,
        sink: &mut dyn Sink,
    ) {
        let around = World::surroundings(&self.plan, &self.random, &self.locations);
        let speech = Speech::of(&message.body);
        match self.network.connect(around, self.now, from, to, speech) {
            Ok(id) => self.send(from, id, message, sink),
            Err(detached) => {
                self.network.book.sent += 1;
                self.network.book.dropped += 1;
                self.tell_both(detached, CloseReason::Idle, FaultMask::NONE);
            }
        }
    }

    /// Puts a message on a connection.
    pub(super) fn send(
        &mut self,
        from: ProcessId,
        id: ConnectionId,
        message: &mut Message,
        sink: &mut dyn Sink,
    ) {
        self.network.book.sent += 1;
        let around = World::surroundings(&self.plan, &self.random, &self.locations);
        match self.network.send(around, self.now, id, from, message) {
            Fate::Goes(sending) => {
                if !sending.by.is_empty() {
                    self.touch(from, message, sending.by, sink);
                }
                self.launch_message(from, id, sending, message);
            }
            Fate::Gone => self.network.book.dropped += 1,
            Fate::Broken(by) => {
                self.network.book.dropped += 1;
                self.touch(from, message, by, sink);
                self.break_connection(id, by, sink);
            }
        }
    }

    /// Sends a datagram.
    pub(super) fn cast(
        &mut self,
        from: ProcessId,
        to: ProcessId,
        message: &mut Message,
        sink: &mut dyn Sink,
    ) {
        self.network.book.sent += 1;
        let around = World::surroundings(&self.plan, &self.random, &self.locations);
        let cast = self.network.cast(around, self.now, from, to, message);
        if !cast.by.is_empty() {
            self.touch(from, message, cast.by, sink);
            self.trouble(from, to, cast.by, Symptom::Datagram, sink);
        }
        if let Some(double) = cast.double {
            self.network.book.duplicated += 1;
            self.launch_message(from, ConnectionId::NONE, double, &mut message.clone());
        }
        match cast.first {
            Some(first) => self.launch_message(from, ConnectionId::NONE, first, message),
            None => self.network.book.lost += 1,
        }
    }

    /// Takes the message out of its place and puts it under way.
    #[inline(always)]
    fn launch_message(
        &mut self,
        from: ProcessId,
        connection: ConnectionId,
        sending: Sending,
        message: &mut Message,
    ) {
        self.messages += 1;
        self.work += usize::from(!message.cargo.is_empty());
        self.launch(from, connection, sending, Freight::Message(message.take()));
    }

    #[inline(always)]
    fn launch(&mut self, from: ProcessId, connection: ConnectionId, sending: Sending, freight: Freight) {
        let Sending { to, at, by, delayed } = sending;
        let flight = Flight { from, to, connection, parent: self.events, by, delayed, freight };
        let slot = self.flights.insert(flight);
        self.queue.push(at, Entry::Arrival(slot));
    }

    // -- Arrivals. --

    pub(super) fn arrive(&mut self, slot: u32, sink: &mut dyn Sink) {
        let Some(flight) = self.flights.get(slot) else { return };
        let (from, to, id) = (flight.from, flight.to, flight.connection);
        if id == ConnectionId::NONE {
            self.arrive_alone(slot, sink);
            return;
        }
        if let Freight::Close(reason) = flight.freight {
            let by = flight.by;
            self.flights.take(slot);
            self.arrive_close((from, to), id, reason, by, sink);
            return;
        }
        let Some(connection) = self.network.get(id) else {
            self.drop_flight(slot, FaultMask::NONE, sink);
            return;
        };
        let side = connection.side(from);
        let (refused, established) = (connection.refused, connection.established);
        if connection.stalls[side].is_some() {
            self.stall(id, side, slot, FaultMask::NONE, sink);
            return;
        }
        if !self.network.is_whole()
            && let Some((by, how)) = self.network.cut(from, to, established, false, self.now)
        {
            match how {
                Silence::Silent => self.stall(id, side, slot, by, sink),
                Silence::Reset => self.refuse(id, slot, by, sink),
            }
            return;
        }
        let shell = &self.shells[to.index()];
        match shell.presence() {
            Presence::Dark => {
                let by = shell.held_by();
                self.stall(id, side, slot, by, sink);
                return;
            }
            Presence::Absent => {
                let by = shell.held_by();
                self.refuse(id, slot, by, sink);
                return;
            }
            Presence::Alive => {}
        }
        let open = self.network.get(id).is_some_and(|connection| connection.open[1 - side]);
        if !open || !refused.is_empty() {
            self.refuse(id, slot, refused, sink);
            return;
        }
        if let Some(connection) = self.network.get_mut(id) {
            connection.established = true;
        }
        self.deliver(slot, sink);
    }

    /// A datagram arrives, or does not.
    fn arrive_alone(&mut self, slot: u32, sink: &mut dyn Sink) {
        let Some(flight) = self.flights.get(slot) else { return };
        let (from, to) = (flight.from, flight.to);
        let Freight::Message(message) = &flight.freight else { return };
        let probe = matches!(message.body, Body::Probe | Body::ProbeAnswer { .. });
        let cut =
            if self.network.is_whole() { None } else { self.network.cut(from, to, true, probe, self.now) };
        let shell = &self.shells[to.index()];
        let masked = shell.is_masked() && matches!(message.body, Body::Probe);
        let by = cut.map_or(shell.held_by(), |(by, _)| by);
        if cut.is_none() && masked {
            // A hidden fault: whoever asks hears that all is well.
            let mut answer = message.answer(Body::ProbeAnswer { ready: true });
            self.flights.take(slot);
            self.messages -= 1;
            self.network.book.delivered += 1;
            self.cast(to, from, &mut answer, sink);
            return;
        }
        if cut.is_some() || shell.presence() != Presence::Alive {
            let Some((flight, message)) = self.take_message(slot) else { return };
            self.network.book.lost += 1;
            if !by.is_empty() {
                self.touch(to, &message, by, sink);
                self.trouble(flight.from, to, by, Symptom::Datagram, sink);
            }
            return;
        }
        self.deliver(slot, sink);
    }

    #[inline(always)]
    fn deliver(&mut self, slot: u32, sink: &mut dyn Sink) {
        let Some((flight, message)) = self.take_message(slot) else { return };
        self.network.book.delivered += 1;
        if flight.delayed {
            self.symptom(&flight, &message, Symptom::Delayed, sink);
        }
        let shell = &self.shells[flight.to.index()];
        // Whoever stands still takes it up only later.
        if !shell.runs() && !shell.held_by().is_empty() && !message.cargo.is_empty() {
            self.touch(flight.to, &message, shell.held_by(), sink);
        }
        let input = Input::Message { from: flight.from, connection: flight.connection, message };
        self.give(flight.to, input, flight.parent, sink);
    }

    #[inline(always)]
    fn take_message(&mut self, slot: u32) -> Option<(Origin, Message)> {
        let Flight { from, to, connection, parent, by, delayed, freight } = self.flights.take(slot)?;
        let Freight::Message(message) = freight else { return None };
        self.messages -= 1;
        self.work -= usize::from(!message.cargo.is_empty());
        Some((Origin { from, to, connection, parent, by, delayed }, message))
    }

    fn drop_flight(&mut self, slot: u32, by: FaultMask, sink: &mut dyn Sink) {
        let Some((flight, message)) = self.take_message(slot) else { return };
        self.network.book.dropped += 1;
        if !by.is_empty() {
            self.touch(flight.to, &message, by, sink);
        }
    }

    // -- Stalls. --

    fn stall(&mut self, id: ConnectionId, side: usize, slot: u32, by: FaultMask, sink: &mut dyn Sink) {
        if let Some(flight) = self.flights.get_mut(slot) {
            flight.delayed = true;
            flight.by = flight.by.and(by);
            if let Freight::Message(message) = &flight.freight
                && !by.is_empty()
            {
                let (to, message) = (flight.to, message.clone());
                self.touch(to, &message, by, sink);
            }
        }
        if let Some(at) = self.network.stall(id, side, slot, by, self.now) {
            let alarm = self.alarms.insert(Alarm::Retry(id, side));
            self.queue.push(at, Entry::Transport(alarm));
        }
    }

    /// A connection has waited for something.
    pub(super) fn alarm(&mut self, slot: u32, sink: &mut dyn Sink) {
        match self.alarms.take(slot) {
            Some(Alarm::Retry(id, side)) => self.retry(id, side, sink),
            Some(Alarm::Silence(id, side)) => self.look(id, side, sink),
            None => {}
        }
    }

    /// The head of a stalled direction is sent again.
    fn retry(&mut self, id: ConnectionId, side: usize, sink: &mut dyn Sink) {
        let Some(connection) = self.network.get(id) else { return };
        let (from, to) = (connection.at(side), connection.at(1 - side));
        if connection.stalls[side].is_none() {
            return;
        }
        let cut = self.network.cut(from, to, connection.established, false, self.now).is_some();
        if !cut && self.shells[to.index()].presence() != Presence::Dark {
            let (by, slots) = self.network.unstall(id, side, self.now);
            for (slot, at) in slots {
                if let Some(flight) = self.flights.get_mut(slot) {
                    flight.by = flight.by.and(by);
                }
                self.queue.push(at, Entry::Arrival(slot));
            }
            return;
        }
        match self.network.retry(id, side, self.now) {
            Some(at) => {
                let alarm = self.alarms.insert(Alarm::Retry(id, side));
                self.queue.push(at, Entry::Transport(alarm));
            }
            None => self.give_up(id, side, sink),
        }
    }

    /// A side gives the connection up because nothing comes through.
    fn give_up(&mut self, id: ConnectionId, side: usize, sink: &mut dyn Sink) {
        let Some(connection) = self.network.get(id) else { return };
        let (me, peer) = (connection.at(side), connection.at(1 - side));
        let silence = connection.speech.manners().silence;
        let open = connection.open[side];
        let stall = connection.stalls[side].as_ref();
        let by = stall.map_or(self.shells[peer.index()].held_by(), |stall| stall.by);
        for slot in self.network.let_go(id, side) {
            self.drop_flight(slot, by, sink);
        }
        if !open {
            return; // what it had sent before it let go did not arrive either
        }
        self.trouble(me, peer, by, Symptom::Reset, sink);
        let input = Input::Closed { connection: id, peer, reason: CloseReason::TimedOut };
        if self.shells[me.index()].is_alive() {
            self.give(me, input, self.events, sink);
        }
        self.listen(id, 1 - side, silence);
    }

    /// A side will look after a while whether its peer is still there.
    fn listen(&mut self, id: ConnectionId, side: usize, after: Span) {
        if after < Span::FOREVER && self.network.get(id).is_some_and(|connection| connection.open[side]) {
            let alarm = self.alarms.insert(Alarm::Silence(id, side));
            self.queue.push(self.now + after, Entry::Transport(alarm));
        }
    }

    /// Both sides of these connections will notice by themselves if nothing comes any more.
    pub(super) fn listen_all(&mut self, ids: &[ConnectionId]) {
        for id in ids {
            let Some(connection) = self.network.get(*id) else { continue };
            let silence = connection.speech.manners().silence;
            self.listen(*id, 0, silence);
            self.listen(*id, 1, silence);
        }
    }

    /// A side looks whether its peer is still there.
    fn look(&mut self, id: ConnectionId, side: usize, sink: &mut dyn Sink) {
        let Some(connection) = self.network.get(id) else { return };
        let (me, peer) = (connection.at(side), connection.at(1 - side));
        let cut = |from, to| self.network.cut(from, to, connection.established, false, self.now).is_some();
        let gone = !connection.open[1 - side]
            || self.shells[peer.index()].presence() == Presence::Dark
            || cut(me, peer)
            || cut(peer, me);
        if connection.open[side] && gone {
            self.give_up(id, side, sink);
        }
    }

    // -- Closing. --

    /// A process closes a connection in good order: after everything that it sent before.
    pub(super) fn close(&mut self, me: ProcessId, id: ConnectionId) {
        let Some(connection) = self.network.get(id) else { return };
        let side = connection.side(me);
        if connection.open[side] {
            self.close_side(id, side, CloseReason::Closed);
        }
    }

    /// One side is gone; the other learns it after one latency, and after everything sent before.
    fn close_side(&mut self, id: ConnectionId, side: usize, reason: CloseReason) {
        let Some(connection) = self.network.get(id) else { return };
        let (me, peer, open) = (connection.at(side), connection.at(1 - side), connection.open[1 - side]);
        let around = World::surroundings(&self.plan, &self.random, &self.locations);
        let at = self.network.close_at(around, self.now, id, side);
        if open {
            let by = self.shells[me.index()].held_by();
            let sending = Sending { to: peer, at, by, delayed: false };
            self.launch(me, id, sending, Freight::Close(reason));
        }
        for slot in self.network.let_go(id, side) {
            if self.take_message(slot).is_some() {
                self.network.book.dropped += 1;
            }
        }
    }

    /// A process is gone: so are its connections.
    pub(super) fn close_all(&mut self, me: ProcessId, reason: CloseReason) {
        for id in self.network.of(me) {
            let Some(connection) = self.network.get(id) else { continue };
            let side = connection.side(me);
            self.close_side(id, side, reason);
        }
    }

    /// A host is dark: its connections are gone and nobody says so.
    pub(super) fn lose_all(&mut self, me: ProcessId, sink: &mut dyn Sink) {
        let ids = self.network.of(me);
        for id in &ids {
            let Some(connection) = self.network.get(*id) else { continue };
            let by = self.shells[me.index()].held_by();
            let side = connection.side(me);
            for slot in self.network.let_go(*id, side) {
                self.drop_flight(slot, by, sink);
            }
        }
        self.listen_all(&ids);
    }

    /// A connection is reset in the middle: each side learns it after one latency.
    pub(super) fn break_connection(&mut self, id: ConnectionId, by: FaultMask, sink: &mut dyn Sink) {
        let Some(connection) = self.network.get(id) else { return };
        let (client, server) = (connection.client, connection.server);
        self.trouble(client, server, by, Symptom::Reset, sink);
        if let Some(connection) = self.network.get_mut(id) {
            connection.refused = connection.refused.and(by);
        }
        self.tell_both(id, CloseReason::Reset, by);
    }

    fn tell_both(&mut self, id: ConnectionId, reason: CloseReason, by: FaultMask) {
        for side in [0, 1] {
            let Some(connection) = self.network.get(id) else { return };
            if !connection.open[side] {
                continue;
            }
            let (me, peer) = (connection.at(side), connection.at(1 - side));
            let around = World::surroundings(&self.plan, &self.random, &self.locations);
            // An idle client finds out at once; a reset comes from the middle of the path.
            let latency = if reason == CloseReason::Idle && side == 0 {
                Span::ZERO
            } else {
                self.network.notice_latency(around, peer, me)
            };
            let sending = Sending { to: me, at: self.now + latency, by, delayed: false };
            self.launch(peer, id, sending, Freight::Close(reason));
        }
    }

    /// The message finds nobody on the other side: its sender is told with a reset.
    fn refuse(&mut self, id: ConnectionId, slot: u32, by: FaultMask, sink: &mut dyn Sink) {
        let Some((flight, message)) = self.take_message(slot) else { return };
        self.network.book.dropped += 1;
        if !by.is_empty() {
            self.touch(flight.to, &message, by, sink);
        }
        let (from, to) = (flight.from, flight.to);
        let around = World::surroundings(&self.plan, &self.random, &self.locations);
        // A reset does not overtake what was sent before it, such as a close.
        let at: Time = match self.network.get(id).map(|connection| connection.side(to)) {
            Some(side) => self.network.close_at(around, self.now, id, side),
            None => self.now + self.network.notice_latency(around, to, from),
        };
        self.launch(to, id, Sending { to: from, at, by, delayed: false }, Freight::Close(CloseReason::Reset));
    }

    /// The news that a connection is gone arrives.
    fn arrive_close(
        &mut self,
        (from, to): (ProcessId, ProcessId),
        id: ConnectionId,
        reason: CloseReason,
        by: FaultMask,
        sink: &mut dyn Sink,
    ) {
        let Some(connection) = self.network.get(id) else { return };
        let side = connection.side(to);
        if !connection.open[side] || !self.shells[to.index()].is_alive() {
            return;
        }
        let silence = connection.speech.manners().silence;
        let local = reason == CloseReason::Idle;
        let by = by.and(self.shells[from.index()].held_by());
        let cut =
            if self.network.is_whole() { None } else { self.network.cut(from, to, true, false, self.now) };
        // A rule that refuses sends the reset itself.
        if !local && cut.is_some_and(|(_, how)| how == Silence::Silent) {
            self.listen(id, side, silence);
            return;
        }
        for slot in self.network.let_go(id, side) {
            self.drop_flight(slot, by, sink);
        }
        if reason == CloseReason::Reset {
            self.trouble(to, from, by, Symptom::Reset, sink);
        }
        let input = Input::Closed { connection: id, peer: from, reason };
        self.give(to, input, self.events, sink);
    }

    // -- Marks. --

    /// Faults altered what happens to a message: marks its items, or whom it goes to.
    pub(super) fn touch(&mut self, at: ProcessId, message: &Message, by: FaultMask, sink: &mut dyn Sink) {
        for fault in by.iter() {
            self.count_one(fault, 1, sink);
        }
        for item in message.cargo.items() {
            self.note_by(sink, at, self.events, by, *item, What::Touched);
        }
        if message.cargo.is_empty() {
            let item = crate::ids::Item::default();
            self.note_by(sink, at, self.events, by, item, What::TouchedProcess { subject: at });
        }
    }

    fn symptom(&self, flight: &Origin, message: &Message, symptom: Symptom, sink: &mut dyn Sink) {
        for item in message.cargo.items() {
            self.note_by(sink, flight.to, flight.parent, flight.by, *item, What::Symptom(symptom));
        }
        if message.cargo.is_empty() {
            self.trouble(flight.to, flight.from, flight.by, symptom, sink);
        }
    }

    fn trouble(
        &self,
        at: ProcessId,
        subject: ProcessId,
        by: FaultMask,
        symptom: Symptom,
        sink: &mut dyn Sink,
    ) {
        let what = What::Trouble { subject, symptom };
        self.note_by(sink, at, self.events, by, crate::ids::Item::default(), what);
    }
}
