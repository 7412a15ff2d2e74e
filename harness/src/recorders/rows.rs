//! Every observation of a run as a row of a Parquet file. Rows go out in groups, so that the memory it takes
//! does not depend on the length of the run. The columns are documented in `docs/traces.md`.

use std::io::Write;
use std::sync::Arc;

use beaufort_sim::ids::{ConnectionId, FaultMask};
use beaufort_sim::observe::{
    Belief, Birth, Discard, End, FaultPhase, Handling, Life, Observation, Outcome, Sink, Symptom, What,
};
use beaufort_sim::plan::Plan;
use parquet::basic::Compression;
use parquet::column::writer::ColumnWriter;
use parquet::data_type::ByteArray;
use parquet::errors::{ParquetError, Result};
use parquet::file::properties::WriterProperties;
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::parser::parse_message_type;
use rustc_hash::FxHashMap;

use crate::judges::sends;

/// So many rows make a group: a few megabytes.
const GROUP: usize = 50_000;

/// The columns, in their order. All may be absent but the first five.
const SCHEMA: &str = "
message observation {
  required int64 at_ns;
  required int64 event;
  required int64 parent;
  required binary process (string);
  required binary node (string);
  required binary what (string);
  required int64 incarnation;
  optional int64 connection;
  optional binary flow (string);
  optional binary stream (string);
  optional int64 item;
  optional int64 key;
  optional binary faults (string);
  optional binary outcome (string);
  optional binary place (string);
  optional binary to (string);
  optional int64 call;
  optional int64 run;
  optional int64 since_ns;
  optional binary detail (string);
}";

/// One column of the group that is being filled.
#[derive(Debug)]
struct Column<T> {
    values: Vec<T>,
    /// For each row whether there is a value.
    levels: Vec<i16>,
}

impl<T> Default for Column<T> {
    fn default() -> Self {
        Column { values: Vec::new(), levels: Vec::new() }
    }
}

impl<T> Column<T> {
    fn push(&mut self, value: Option<T>) {
        self.levels.push(i16::from(value.is_some()));
        self.values.extend(value);
    }

    fn clear(&mut self) {
        self.values.clear();
        self.levels.clear();
    }
}

type Numbers = Column<i64>;
type Texts = Column<ByteArray>;

/// The rows that are not yet written; fields in the order of [`SCHEMA`].
#[derive(Debug, Default)]
struct Group {
    at: Numbers,
    event: Numbers,
    parent: Numbers,
    process: Texts,
    node: Texts,
    what: Texts,
    incarnation: Numbers,
    connection: Numbers,
    flow: Texts,
    stream: Texts,
    item: Numbers,
    key: Numbers,
    faults: Texts,
    outcome: Texts,
    place: Texts,
    to: Texts,
    call: Numbers,
    run: Numbers,
    since: Numbers,
    detail: Texts,
}

enum AnyColumn<'a> {
    Numbers(&'a mut Numbers),
    Texts(&'a mut Texts),
}

impl Group {
    fn columns(&mut self) -> [AnyColumn<'_>; 20] {
        use AnyColumn::{Numbers, Texts};
        [
            Numbers(&mut self.at),
            Numbers(&mut self.event),
            Numbers(&mut self.parent),
            Texts(&mut self.process),
            Texts(&mut self.node),
            Texts(&mut self.what),
            Numbers(&mut self.incarnation),
            Numbers(&mut self.connection),
            Texts(&mut self.flow),
            Texts(&mut self.stream),
            Numbers(&mut self.item),
            Numbers(&mut self.key),
            Texts(&mut self.faults),
            Texts(&mut self.outcome),
            Texts(&mut self.place),
            Texts(&mut self.to),
            Numbers(&mut self.call),
            Numbers(&mut self.run),
            Numbers(&mut self.since),
            Texts(&mut self.detail),
        ]
    }

    fn write<W: Write + Send>(&mut self, file: &mut SerializedFileWriter<W>) -> Result<()> {
        let mut group = file.next_row_group()?;
        for column in self.columns() {
            let Some(mut writer) = group.next_column()? else {
                return Err(ParquetError::General("there are more columns than the schema has".to_owned()));
            };
            match (writer.untyped(), column) {
                (ColumnWriter::Int64ColumnWriter(writer), AnyColumn::Numbers(column)) => {
                    writer.write_batch(&column.values, Some(&column.levels), None)?;
                    column.clear();
                }
                (ColumnWriter::ByteArrayColumnWriter(writer), AnyColumn::Texts(column)) => {
                    writer.write_batch(&column.values, Some(&column.levels), None)?;
                    column.clear();
                }
                _ => return Err(ParquetError::General("a column has another type".to_owned())),
            }
            writer.close()?;
        }
        group.close()?;
        Ok(())
    }
}

/// Words that are needed again and again: a copy of one is a reference.
#[derive(Debug, Default)]
struct Words {
    fixed: FxHashMap<&'static str, ByteArray>,
    faults: FxHashMap<u64, ByteArray>,
    targets: FxHashMap<(u32, u16), ByteArray>,
}

impl Words {
    fn fixed(&mut self, word: &'static str) -> ByteArray {
        self.fixed.entry(word).or_insert_with(|| word.into()).clone()
    }
}

/// Writes a row for every observation.
pub struct Rows<W: Write + Send> {
    plan: Arc<Plan>,
    file: SerializedFileWriter<W>,
    group: Group,
    words: Words,
    processes: Vec<ByteArray>,
    nodes: Vec<ByteArray>,
    places: Vec<ByteArray>,
    streams: Vec<(ByteArray, ByteArray)>,
    rows: u64,
    /// What went wrong first; nothing is written after it.
    failed: Option<ParquetError>,
}

impl<W: Write + Send> std::fmt::Debug for Rows<W> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Rows").field("rows", &self.rows).field("failed", &self.failed).finish_non_exhaustive()
    }
}

impl<W: Write + Send> Rows<W> {
    /// Begins a file.
    ///
    /// # Errors
    /// It cannot be written to.
    pub fn new(plan: &Arc<Plan>, to: W) -> Result<Rows<W>> {
        let schema = Arc::new(parse_message_type(SCHEMA)?);
        let properties = WriterProperties::builder().set_compression(Compression::SNAPPY).build();
        let text = |name: &str| ByteArray::from(name);
        let flow = |index: usize| plan.blueprint.flows.get_index(index).map_or("", |(name, _)| name.as_str());
        Ok(Rows {
            plan: Arc::clone(plan),
            file: SerializedFileWriter::new(to, schema, Arc::new(properties))?,
            group: Group::default(),
            words: Words::default(),
            processes: plan.processes.iter().map(|process| text(&process.name)).collect(),
            nodes: plan.nodes.iter().map(|node| text(&node.name)).collect(),
            places: plan.places.iter().map(|place| text(&place.name)).collect(),
            streams: plan
                .streams
                .iter()
                .map(|stream| (text(flow(stream.flow.index())), text(&stream.name)))
                .collect(),
            rows: 0,
            failed: None,
        })
    }

    /// Writes what is left; returns how many rows there are.
    ///
    /// # Errors
    /// Whatever went wrong first.
    pub fn finish(mut self) -> Result<u64> {
        if self.failed.is_none() {
            self.flush();
        }
        match self.failed {
            Some(error) => Err(error),
            None => self.file.close().map(|_| self.rows),
        }
    }

    fn flush(&mut self) {
        if !self.group.at.levels.is_empty()
            && let Err(error) = self.group.write(&mut self.file)
        {
            self.failed = Some(error);
        }
    }

    fn item(&mut self, seen: &Observation) {
        let has = seen.what.has_item() && !seen.item.is_none();
        let names = self.streams.get(self.plan.stream_index(seen.item.stream)).filter(|_| has);
        self.group.flow.push(names.map(|names| names.0.clone()));
        self.group.stream.push(names.map(|names| names.1.clone()));
        self.group.item.push(has.then_some(i64::from(seen.item.number)));
        self.group.key.push(has.then_some(i64::from(seen.item.key)));
    }

    fn faults(&mut self, by: FaultMask) -> Option<ByteArray> {
        if by.is_empty() {
            return None;
        }
        let faults = &self.plan.blueprint.faults;
        let names = || {
            let names = by.iter().filter_map(|fault| faults.get_index(fault.index()));
            names.map(|(name, _)| name.as_str()).collect::<Vec<_>>().join(",")
        };
        Some(self.words.faults.entry(by.0).or_insert_with(|| names().as_str().into()).clone())
    }

    fn happened(&mut self, seen: &Observation) {
        let facts = Facts::of(&seen.what);
        let what = self.words.fixed(facts.what);
        let mut word = |word: Option<&'static str>| word.map(|word| self.words.fixed(word));
        let (outcome, detail) = (word(facts.outcome), word(facts.detail));
        let place = facts.place.and_then(|place| self.places.get(place.index()).cloned());
        let to = match seen.what {
            What::Sent { to, .. } => {
                let name = || ByteArray::from(sends::name(&self.plan, to).as_str());
                Some(self.words.targets.entry((to.process.0, to.part)).or_insert_with(name).clone())
            }
            What::Offered { door } | What::Concluded { door, .. } => self.nodes.get(door.index()).cloned(),
            What::Moved { to, .. } | What::Undone { by: to, .. } => self.places.get(to.index()).cloned(),
            What::Trouble { subject, .. }
            | What::Believes { subject, .. }
            | What::TouchedProcess { subject } => self.processes.get(subject.index()).cloned(),
            _ => None,
        };
        let detail = match seen.what {
            What::StepDone { step, .. } => {
                let node = self.plan.process(seen.process).node;
                self.plan.step_name(node, step).map(ByteArray::from)
            }
            What::Moved { reason: Some(reason), .. } => Some(format!("{reason:?}").as_str().into()),
            What::Fault { fault, .. } => {
                self.plan.blueprint.faults.get_index(fault.index()).map(|(name, _)| name.as_str().into())
            }
            _ => detail,
        };
        self.group.what.push(Some(what));
        self.group.outcome.push(outcome);
        self.group.place.push(place);
        self.group.to.push(to);
        self.group.call.push(facts.call);
        self.group.run.push(facts.run);
        self.group.since.push(facts.since);
        self.group.detail.push(detail);
    }
}

impl<W: Write + Send> Sink for Rows<W> {
    fn observe(&mut self, seen: &Observation) {
        if self.failed.is_some() {
            return;
        }
        let (process, node) = (seen.process.index(), self.plan.process(seen.process).node.index());
        self.group.at.push(Some(seen.at.0 as i64));
        self.group.event.push(Some(seen.event as i64));
        self.group.parent.push(Some(seen.parent as i64));
        self.group.process.push(self.processes.get(process).cloned());
        self.group.node.push(self.nodes.get(node).cloned());
        self.group.incarnation.push(Some(i64::from(seen.incarnation)));
        let connection = seen.connection;
        let number = (i64::from(connection.slot) << 32) | i64::from(connection.generation);
        self.group.connection.push((connection != ConnectionId::NONE).then_some(number));
        self.item(seen);
        let faults = self.faults(seen.by);
        self.group.faults.push(faults);
        self.happened(seen);
        self.rows += 1;
        if self.group.at.levels.len() == GROUP {
            self.flush();
        }
    }
}

/// What an observation says, column by column.
#[derive(Default)]
struct Facts {
    what: &'static str,
    outcome: Option<&'static str>,
    detail: Option<&'static str>,
    place: Option<beaufort_sim::ids::PlaceId>,
    call: Option<i64>,
    run: Option<i64>,
    since: Option<i64>,
}

impl Facts {
    fn of(what: &What) -> Facts {
        let facts = |what: &'static str| Facts { what, ..Facts::default() };
        match *what {
            What::Offered { .. } => facts("offered"),
            What::Concluded { outcome, offered, .. } => Facts {
                outcome: Some(self::outcome(outcome)),
                since: Some(offered.0 as i64),
                ..facts("concluded")
            },
            What::Sent { call, .. } => Facts { call: Some(call.0 as i64), ..facts("sent") },
            What::Answered { call, outcome } => Facts {
                call: Some(call.0 as i64),
                outcome: Some(self::outcome(outcome)),
                ..facts("answered")
            },
            What::Handled { call, how } => {
                Facts { call: Some(call.0 as i64), outcome: Some(handling(how)), ..facts("handled") }
            }
            What::Born { place, cause } => {
                Facts { place: Some(place), detail: Some(birth(cause)), ..facts("born") }
            }
            What::Ended { place, cause } => {
                Facts { place: Some(place), detail: Some(end(cause)), ..facts("ended") }
            }
            What::Moved { from, .. } => Facts { place: Some(from), ..facts("moved") },
            What::Shadow { place, held } => {
                let detail = Some(if held { "held" } else { "gone" });
                Facts { place: Some(place), detail, ..facts("shadow") }
            }
            What::Read { place, found, asked } => Facts {
                place: Some(place),
                detail: Some(if found { "found" } else { "absent" }),
                since: Some(asked.0 as i64),
                ..facts("read")
            },
            What::Absorbed { place } => Facts { place: Some(place), ..facts("absorbed") },
            What::Undone { undone, .. } => Facts { place: Some(undone), ..facts("undone") },
            What::RunStarted { run } => Facts { run: Some(run as i64), ..facts("run-started") },
            What::RunEnded { run, done } => {
                let detail = Some(if done { "done" } else { "failed" });
                Facts { run: Some(run as i64), detail, ..facts("run-ended") }
            }
            What::StepDone { outcome, .. } => {
                Facts { outcome: Some(self::outcome(outcome)), ..facts("step-done") }
            }
            What::Symptom(symptom) => Facts { detail: Some(sign(symptom)), ..facts("symptom") },
            What::Trouble { symptom, .. } => Facts { detail: Some(sign(symptom)), ..facts("trouble") },
            What::Believes { belief, .. } => {
                Facts { detail: Some(self::belief(belief)), ..facts("believes") }
            }
            What::Touched => facts("touched"),
            What::TouchedProcess { .. } => facts("touched-process"),
            What::Fault { phase, .. } => Facts { outcome: Some(self::phase(phase)), ..facts("fault") },
            What::Life(life) => Facts { detail: Some(self::life(life)), ..facts("life") },
        }
    }
}

fn outcome(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Ok => "ok",
        Outcome::Refused => "refused",
        Outcome::Failed => "failed",
        Outcome::Unknown => "unknown",
    }
}

fn handling(how: Handling) -> &'static str {
    match how {
        Handling::Stored => "stored",
        Handling::Suppressed => "suppressed",
        Handling::Rejected => "rejected",
    }
}

fn birth(cause: Birth) -> &'static str {
    match cause {
        Birth::Stored => "stored",
        Birth::FannedOut => "fanned-out",
        Birth::Derived => "derived",
        Birth::Reborn => "reborn",
    }
}

fn end(cause: End) -> &'static str {
    match cause {
        End::Completed => "completed",
        End::FannedOut => "fanned-out",
        End::Expired => "expired",
        End::Discarded(Discard::Unsubscribed) => "discarded: unsubscribed",
        End::Discarded(Discard::Undeliverable) => "discarded: undeliverable",
        End::Discarded(Discard::Superseded) => "discarded: superseded",
        End::Discarded(Discard::DeadLetterUnavailable) => "discarded: dead-letter-unavailable",
        End::Discarded(Discard::Fault) => "discarded: fault",
        End::Destroyed => "destroyed",
        End::FailoverTail => "failover-tail",
    }
}

/// The word of a sign of trouble.
pub(super) fn sign(symptom: Symptom) -> &'static str {
    match symptom {
        Symptom::Error => "error",
        Symptom::Timeout => "timeout",
        Symptom::Retry => "retry",
        Symptom::Redelivery => "redelivery",
        Symptom::LockLost => "lock-lost",
        Symptom::LeaseLost => "lease-lost",
        Symptom::Reset => "reset",
        Symptom::Delayed => "delayed",
        Symptom::Datagram => "datagram",
        Symptom::RunFailed => "run-failed",
        Symptom::Throttled => "throttled",
        Symptom::Misrouted => "misrouted",
        Symptom::Misled => "misled",
    }
}

fn phase(phase: FaultPhase) -> &'static str {
    match phase {
        FaultPhase::Armed => "armed",
        FaultPhase::Started => "started",
        FaultPhase::Fired => "fired",
        FaultPhase::Healed => "healed",
    }
}

fn life(life: Life) -> &'static str {
    match life {
        Life::Started => "started",
        Life::Stopped => "stopped",
        Life::Crashed => "crashed",
        Life::PowerLost => "power-lost",
        Life::Paused => "paused",
        Life::Resumed => "resumed",
    }
}

fn belief(belief: Belief) -> &'static str {
    match belief {
        Belief::Ready(true) => "ready",
        Belief::Ready(false) => "unready",
        Belief::BreakerOpen => "breaker-open",
        Belief::BreakerHalfOpen => "breaker-half-open",
        Belief::BreakerClosed => "breaker-closed",
    }
}

#[cfg(test)]
mod tests {
    use beaufort_sim::ids::{CallId, Item};
    use beaufort_sim::time::Time;
    use parquet::file::reader::{FileReader, SerializedFileReader};
    use parquet::record::RowAccessor;

    use super::*;
    use crate::scenario::load::load;

    fn plan() -> Arc<Plan> {
        load("transactional-outbox", &[]).unwrap().resolve(None).unwrap().plan
    }

    fn seen(plan: &Plan, at: u64, what: What) -> Observation {
        let stream = plan.streams[0].id;
        Observation {
            at: Time(at),
            event: at,
            parent: 0,
            process: Default::default(),
            incarnation: 2,
            connection: ConnectionId::NONE,
            item: Item { number: 7, stream, key: 3, ..Item::default() },
            by: FaultMask::NONE,
            what,
        }
    }

    #[test]
    fn every_observation_is_a_row_that_others_can_read() {
        let plan = plan();
        let file = tempfile::tempfile().unwrap();
        let mut rows = Rows::new(&plan, file.try_clone().unwrap()).unwrap();
        let count = GROUP as u64 + 5;
        for at in 0..count {
            rows.observe(&seen(&plan, at, What::Answered { call: CallId(at), outcome: Outcome::Unknown }));
        }
        rows.observe(&seen(&plan, count, What::Life(Life::Crashed)));
        assert_eq!(rows.finish().unwrap(), count + 1);

        let reader = SerializedFileReader::new(file).unwrap();
        assert_eq!(reader.metadata().num_row_groups(), 2);
        let read: Vec<_> = reader.get_row_iter(None).unwrap().map(|row| row.unwrap()).collect();
        assert_eq!(read.len() as u64, count + 1);
        let row = &read[GROUP + 1];
        let column = |name: &str| row.get_column_iter().position(|(known, _)| known == name).unwrap();
        assert_eq!(row.get_long(column("at_ns")).unwrap(), GROUP as i64 + 1);
        assert_eq!(row.get_string(column("what")).unwrap(), "answered");
        assert_eq!(row.get_string(column("outcome")).unwrap(), "unknown");
        assert_eq!(row.get_long(column("item")).unwrap(), 7);
        let last = &read[count as usize];
        assert_eq!(last.get_string(column("detail")).unwrap(), "crashed");
        assert!(last.get_long(column("item")).is_err(), "the life of a process is about no item");
    }

    #[test]
    fn a_full_disk_is_told_and_not_written_past() {
        struct Full;
        impl Write for Full {
            fn write(&mut self, _: &[u8]) -> std::io::Result<usize> {
                Err(std::io::Error::new(std::io::ErrorKind::StorageFull, "no space left"))
            }
            fn flush(&mut self) -> std::io::Result<()> {
                Ok(())
            }
        }
        let plan = plan();
        let told = match Rows::new(&plan, Full) {
            Err(error) => error.to_string(),
            Ok(mut rows) => {
                (0..GROUP as u64 * 2).for_each(|at| rows.observe(&seen(&plan, at, What::Touched)));
                rows.finish().unwrap_err().to_string()
            }
        };
        assert!(told.contains("no space left"), "{told}");
    }
}
