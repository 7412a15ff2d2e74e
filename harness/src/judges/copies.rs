//! The copies book: every copy is born once and ends once, place by place; at any moment what the
//! processes hold must be what the book says, item by item.

use beaufort_reports::{BookError, PlaceRow};
use beaufort_sim::ids::{Item, PlaceId};
use beaufort_sim::observe::{Birth, Discard, End, Held};
use beaufort_sim::plan::{PlaceRole, Plan};
use beaufort_sim::random::mix;

/// A place in the book.
#[derive(Clone, Copy, Debug, Default)]
struct Account {
    born: u64,
    reborn: u64,
    moved_in: u64,
    moved_out: u64,
    completed: u64,
    expired: u64,
    discarded: u64,
    destroyed: u64,
    absorbed: u64,
    undone: u64,
    /// When copies were last reborn here, and when a failover last closed it; by the book's own count.
    opened: u64,
    closed: u64,
    /// How many were reborn since a failover last closed it.
    taken_over: u64,
    /// The sum over all copies that should be here of a hash of their item: a multiset hash.
    hash: u64,
}

impl Account {
    fn ended(&self) -> u64 {
        self.completed + self.expired + self.discarded + self.destroyed
    }
    /// How many copies should be here; negative if more ended than came.
    fn balance(&self) -> i64 {
        (self.born + self.moved_in) as i64 - (self.ended() + self.moved_out) as i64
    }
}

/// The book.
#[derive(Clone, Debug)]
pub(crate) struct Copies {
    accounts: Vec<Account>,
    unknown: u64,
    /// How many copies were reborn, or given up by a failover.
    turns: u64,
}

/// What one inventory walk found at a place.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Found {
    count: u64,
    hash: u64,
}

/// Spreads an item over 64 bits, so that a sum of these identifies a multiset.
fn hash(item: Item) -> u64 {
    mix(item.identity(), 0x6c62_272e_07bb_0142)
}

impl Copies {
    /// An empty book for so many places.
    pub(crate) fn new(places: usize) -> Copies {
        Copies { accounts: vec![Account::default(); places], unknown: 0, turns: 0 }
    }

    fn account(&mut self, place: PlaceId) -> Option<&mut Account> {
        let account = self.accounts.get_mut(place.index());
        if account.is_none() {
            self.unknown += 1;
        }
        account
    }

    /// A copy came to be.
    pub(crate) fn born(&mut self, place: PlaceId, item: Item, cause: Birth) {
        self.turns += u64::from(cause == Birth::Reborn);
        let turn = self.turns;
        let Some(account) = self.account(place) else { return };
        account.born += 1;
        if cause == Birth::Reborn {
            account.reborn += 1;
            account.opened = turn;
            account.taken_over += 1;
        }
        account.hash = account.hash.wrapping_add(hash(item));
    }

    /// A copy ended.
    pub(crate) fn ended(&mut self, place: PlaceId, item: Item, cause: End) {
        self.turns += u64::from(cause == End::FailoverTail);
        let turn = self.turns;
        let Some(account) = self.account(place) else { return };
        if cause == End::FailoverTail {
            account.closed = turn;
            account.taken_over = 0;
        }
        match cause {
            End::Completed | End::FannedOut => account.completed += 1,
            End::Expired => account.expired += 1,
            End::Discarded(
                Discard::Unsubscribed
                | Discard::Undeliverable
                | Discard::DeadLetterUnavailable
                | Discard::Superseded,
            )
            | End::Discarded(Discard::Fault) => account.discarded += 1,
            End::Destroyed | End::FailoverTail => account.destroyed += 1,
        }
        account.hash = account.hash.wrapping_sub(hash(item));
    }

    /// A copy went from one place to another.
    pub(crate) fn moved(&mut self, from: PlaceId, to: PlaceId, item: Item) {
        let hash = hash(item);
        if let Some(account) = self.account(from) {
            account.moved_out += 1;
            account.hash = account.hash.wrapping_sub(hash);
        }
        if let Some(account) = self.account(to) {
            account.moved_in += 1;
            account.hash = account.hash.wrapping_add(hash);
        }
    }

    /// A repetition was recognised.
    pub(crate) fn absorbed(&mut self, place: PlaceId) {
        if let Some(account) = self.account(place) {
            account.absorbed += 1;
        }
    }

    /// An effect was taken back.
    pub(crate) fn undone(&mut self, place: PlaceId) {
        if let Some(account) = self.account(place) {
            account.undone += 1;
        }
    }

    /// How many copies should be at a place now.
    pub(crate) fn depth(&self, place: PlaceId) -> i64 {
        self.accounts.get(place.index()).map_or(0, Account::balance)
    }

    /// Places of a replicated store whose process has not heard yet that another one leads, and which count
    /// more than that one took over: the place, the one that took over, and how many more.
    pub(crate) fn unheard(&self, plan: &Plan) -> Vec<(PlaceId, PlaceId, u64)> {
        let turned = |account: &Account| account.opened.max(account.closed);
        let mut found = Vec::new();
        for (old, account) in self.accounts.iter().enumerate() {
            let whole = plan.anywhere(&plan.places[old].name);
            let takes_over = |new: &usize| {
                self.accounts[*new].opened > turned(account)
                    && plan.anywhere(&plan.places[*new].name) == whole
            };
            let new = (0..self.accounts.len()).filter(|new| *new != old).find(takes_over);
            let Some(new) = new else { continue };
            let more = account.balance() - self.accounts[new].taken_over as i64;
            if let Ok(count @ 1..) = u64::try_from(more) {
                found.push((PlaceId(old as u16), PlaceId(new as u16), count));
            }
        }
        found
    }

    /// Whether copies ever leave this place: it has a backlog, and does not only grow.
    pub(crate) fn flows_off(&self, place: PlaceId) -> bool {
        self.accounts.get(place.index()).is_some_and(|account| account.ended() + account.moved_out > 0)
    }

    /// Whether anybody ever took a copy out of this place for good.
    pub(crate) fn taken(&self, place: PlaceId) -> bool {
        self.accounts.get(place.index()).is_some_and(|account| account.completed > 0)
    }

    /// How many copies ever came to a place.
    pub(crate) fn arrivals(&self, place: PlaceId) -> u64 {
        self.accounts.get(place.index()).map_or(0, |account| account.born + account.moved_in)
    }

    /// Enters what an inventory walk reports.
    pub(crate) fn find(found: &mut Vec<Found>, held: Held) {
        if held.place.index() >= found.len() {
            found.resize(held.place.index() + 1, Found::default());
        }
        let entry = &mut found[held.place.index()];
        entry.count += u64::from(held.copies);
        entry.hash = entry.hash.wrapping_add(hash(held.item).wrapping_mul(u64::from(held.copies)));
    }

    /// Compares the book with an inventory walk.
    pub(crate) fn errors(&self, plan: &Plan, found: &[Found]) -> Vec<BookError> {
        let mut errors = Vec::new();
        let mut error = |subject: &str, message: String| {
            errors.push(BookError { book: "copies".to_owned(), subject: subject.to_owned(), message });
        };
        for index in 0..self.accounts.len().max(found.len()) {
            let Some(account) = self.accounts.get(index) else {
                error("?", format!("the inventory names place {index}, which does not exist"));
                continue;
            };
            let held = found.get(index).copied().unwrap_or_default();
            let place = plan.places.get(index).map_or("?", |place| place.name.as_str());
            if account.balance() != held.count as i64 {
                let message = format!(
                    "born {} + moved in {} - ended {} - moved out {} = {}, but {} are held: {} {}",
                    account.born,
                    account.moved_in,
                    account.ended(),
                    account.moved_out,
                    account.balance(),
                    held.count,
                    account.balance().abs_diff(held.count as i64),
                    if account.balance() > held.count as i64 { "vanished" } else { "came from nowhere" },
                );
                error(place, message);
            } else if account.hash != held.hash {
                error(place, format!("the {} copies held are not those that were booked", held.count));
            }
        }
        if self.unknown > 0 {
            error("?", format!("{} bookings name a place that does not exist", self.unknown));
        }
        errors
    }

    /// The book place by place, without places at which nothing happened.
    pub(crate) fn rows(&self, plan: &Plan, found: &[Found]) -> Vec<PlaceRow> {
        let rows = self.accounts.iter().zip(&plan.places).enumerate();
        rows.filter(|(_, (account, _))| account.born + account.moved_in + account.absorbed > 0)
            .map(|(index, (account, place))| PlaceRow {
                place: place.name.clone(),
                born: account.born,
                moved_in: account.moved_in,
                moved_out: account.moved_out,
                ended: account.ended(),
                expired: account.expired,
                discarded: account.discarded,
                destroyed: account.destroyed,
                held: found.get(index).map_or(0, |held| held.count),
                absorbed: account.absorbed,
                undone: account.undone,
            })
            .collect()
    }
}

/// Whether an inventory entry says where an item is: waiting somewhere, or among the dead letters. Rows
/// that may rest for ever say nothing.
pub(crate) fn tells(plan: &Plan, held: &Held) -> bool {
    let role = plan.places.get(held.place.index()).map(|place| place.role);
    !held.rest || role == Some(PlaceRole::DeadLetter)
}
