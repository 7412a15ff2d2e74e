//! Guests in small worlds, polled by hand: no engine.

mod driver;

use std::future::{Future, IntoFuture};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use beaufort_sim::faults::{At, FaultKind, process};
use beaufort_sim::kernel::World;
use beaufort_sim::observe::{End, Symptom, What};
use beaufort_sim::plan::Plan;
use beaufort_sim::time::Span;
use proptest::prelude::*;

use super::{Delivery, Failure, Guest, Guests, Once};
use driver::{Driver, blueprint, with_fault, words};

const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

async fn peek_lock(guest: Guest) -> Result<(), Failure> {
    let orders = guest.receiver("orders-queue");
    loop {
        let order = orders.receive().await?;
        guest.work(ms(20)).await;
        guest.insert("ledger", &order).once(Once::ITEM).await?;
        // If the lock was lost meanwhile, the message comes again, and the insert is absorbed.
        let _ = order.complete().await;
    }
}

/// Receives for good beside a tick; what it has received it works on outside the `select!`.
async fn careful(guest: Guest, tick: Duration) -> Result<(), Failure> {
    let orders = guest.receiver("orders-queue").receive_and_delete();
    loop {
        let order = tokio::select! {
            biased;
            () = guest.sleep(tick) => continue,
            order = orders.receive() => order?,
        };
        handle(&guest, &order).await?;
    }
}

async fn handle(guest: &Guest, order: &Delivery) -> Result<(), Failure> {
    guest.work(ms(30)).await;
    guest.insert("ledger", order).once(Once::ITEM).await?;
    order.complete().await?;
    Ok(())
}

/// The same, but the work is inside the future that the tick cancels.
async fn careless(guest: Guest, tick: Duration) -> Result<(), Failure> {
    let orders = guest.receiver("orders-queue").receive_and_delete();
    let next = async || -> Result<(), Failure> {
        let order = orders.receive().await?;
        handle(&guest, &order).await
    };
    loop {
        tokio::select! {
            biased;
            () = guest.sleep(tick) => {}
            handled = next() => handled?,
        }
    }
}

fn crash_at(seconds: u64) -> FaultKind {
    FaultKind::ProcCrash(process::Crash {
        target: "worker".to_owned(),
        at: Some(At::Instant(Span::secs(seconds))),
        lasts: Some(Span::secs(5)),
        ..process::Crash::default()
    })
}

#[test]
fn a_consumer_that_completes_last_does_all_its_work_once() {
    let driver = Driver::run(blueprint(), Guests::new().with("worker", peek_lock));
    let orders = driver.born("orders-queue");
    assert!(orders > 250, "{orders}");
    assert_eq!((driver.born("ledger"), driver.held("orders-queue")), (orders, 0));
    assert_eq!(driver.count(|what| matches!(what, What::Symptom(_))), 0, "nothing went wrong");
    assert_eq!(driver.world.pending_work(), 0);
    driver.books_balance();
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 8, ..ProptestConfig::default() })]
    #[test]
    fn a_receive_that_is_dropped_loses_nothing(tick in 1u64..400) {
        let program = move |guest| careful(guest, ms(tick));
        let driver = Driver::run(blueprint(), Guests::new().with("worker", program));
        let orders = driver.born("orders-queue");
        prop_assert_eq!(driver.born("ledger"), orders);
        prop_assert_eq!(driver.born("worker"), orders, "each is held by the guest for a while");
        prop_assert_eq!(driver.ended("worker", End::Completed), orders);
        driver.books_balance();
    }
}

#[test]
fn work_that_is_cancelled_after_receive_and_delete_loses_its_message() {
    let driver = Driver::run(blueprint(), Guests::new().with("worker", |guest| careless(guest, ms(50))));
    let (orders, destroyed) = (driver.born("orders-queue"), driver.ended("worker", End::Destroyed));
    assert!(destroyed > 0);
    assert_eq!(driver.ended("worker", End::Completed) + destroyed, orders);
    // The insert may have been under way when its caller was dropped.
    assert!(driver.born("ledger") < orders && driver.born("ledger") + destroyed >= orders);
    driver.books_balance();
}

#[test]
fn under_peek_lock_a_crash_loses_nothing() {
    let guests = Guests::new().with("worker", peek_lock);
    let driver = Driver::run(with_fault(blueprint(), crash_at(20)), guests);
    assert_eq!(driver.started, 2);
    assert_eq!(driver.born("ledger"), driver.born("orders-queue"));
    driver.books_balance();
}

#[test]
fn what_was_taken_for_good_dies_with_the_guest_and_is_booked() {
    let slow = |guest: Guest| async move {
        let orders = guest.receiver("orders-queue").receive_and_delete().prefetch(3);
        loop {
            let order = orders.receive().await?;
            guest.work(ms(150)).await;
            handle(&guest, &order).await?;
        }
    };
    let driver = Driver::run(with_fault(blueprint(), crash_at(20)), Guests::new().with("worker", slow));
    let destroyed = driver.ended("worker", End::Destroyed);
    assert!((1..=4).contains(&destroyed), "{destroyed}");
    assert_eq!(driver.born("ledger") + destroyed, driver.born("orders-queue"));
    driver.books_balance();
}

#[test]
fn a_crash_that_is_never_healed_leaves_balanced_books() {
    let forever = FaultKind::ProcCrash(process::Crash {
        target: "worker".to_owned(),
        at: Some(At::Instant(Span::secs(20))),
        ..process::Crash::default()
    });
    let careful = |guest| careful(guest, ms(1000));
    let mut driver = Driver::new(with_fault(blueprint(), forever), Guests::new().with("worker", careful));
    let until = driver.world.plan().ends();
    driver.run_until(until);
    assert!(driver.held("orders-queue") > 0, "nobody reads on");
    driver.books_balance();
}

#[test]
fn the_native_engine_refuses_a_guest_by_name() {
    let plan = Arc::new(Plan::new(blueprint()).expect("a plan"));
    let refused = words(&World::new(plan, 1).expect_err("refused"));
    assert_eq!(
        refused,
        "nodes.worker: `worker` is a guest: code of your own, which this engine cannot run \
         (run it with `--engine turmoil` or `--engine madsim` from a program that registers it)"
    );
}

#[test]
fn a_program_that_is_not_registered_is_refused_with_those_that_are() {
    let plan = Plan::new(blueprint()).expect("a plan");
    let other = |_| async { Ok(()) };
    let guests = Guests::new().with("relay", other).with("mailer", other);
    let refused = words(&guests.check(&plan).expect_err("refused"));
    assert_eq!(
        refused,
        "nodes.worker: `worker` is a guest, and there is no program `worker` (registered are: mailer, relay)"
    );
    let none = words(&Guests::new().check(&plan).expect_err("refused"));
    assert!(none.contains("none is registered"), "{none}");
    assert!(guests.with("worker", other).check(&plan).is_ok());
}

#[test]
fn a_run_with_guests_repeats_itself() {
    let run = || {
        let guests = Guests::new().with("worker", |guest| careless(guest, ms(70)));
        Driver::run(with_fault(blueprint(), crash_at(20)), guests)
    };
    let (one, two) = (run(), run());
    assert_eq!(one.world.digest(), two.world.digest());
    assert_eq!(one.seen, two.seen);
    assert!(one.count(|what| matches!(what, What::Symptom(Symptom::Retry))) < 1000);
}

/// Runs a guest that handles one order, and keeps what it says about it.
fn one_order<F, Fut>(handle: F) -> (Driver, Vec<String>)
where
    F: Fn(Guest, Delivery, Arc<Said>) -> Fut + Send + Sync + Copy + 'static,
    Fut: Future<Output = Result<(), Failure>> + Send + 'static,
{
    let said = Arc::new(Said::default());
    let heard = Arc::clone(&said);
    let program = move |guest: Guest| {
        let said = Arc::clone(&heard);
        async move {
            let order = guest.receiver("orders-queue").receive().await?;
            handle(guest.clone(), order, Arc::clone(&said)).await?;
            std::future::pending::<()>().await;
            Ok(())
        }
    };
    let driver = Driver::run(blueprint(), Guests::new().with("worker", program));
    driver.books_balance();
    let words = std::mem::take(&mut *said.0.lock().expect("no panic"));
    (driver, words)
}

/// What a guest says.
#[derive(Default)]
struct Said(Mutex<Vec<String>>);

impl Said {
    fn say(&self, what: impl std::fmt::Debug) {
        self.0.lock().expect("no panic").push(format!("{what:?}"));
    }
}

#[test]
fn a_lock_holds_as_long_as_it_is_renewed_and_no_longer() {
    let (_, said) = one_order(|guest, order, said| async move {
        for _ in 0..4 {
            guest.sleep(ms(6_000)).await;
            said.say(order.renew().await.is_ok());
        }
        said.say(order.complete().await);
        said.say(order.complete().await);
        Ok(())
    });
    assert_eq!(said, ["true", "true", "true", "true", "Ok(())", "Err(Refused)"]);
    let (_, said) = one_order(|guest, order, said| async move {
        guest.sleep(ms(12_000)).await;
        said.say(order.renew().await);
        said.say(order.complete().await);
        Ok(())
    });
    assert_eq!(said, ["Err(Refused)", "Err(Refused)"]);
    let (_, said) = one_order(|guest, order, said| async move {
        drop(order);
        // The lock of the first one runs out, and it comes again.
        let orders = guest.receiver("orders-queue");
        loop {
            let order = orders.receive().await?;
            if order.delivery_count() > 0 {
                said.say((order.number(), order.delivery_count(), guest.now() > order.locked_until()));
                return Ok(());
            }
            order.complete().await?;
        }
    });
    assert_eq!(said, ["(0, 1, false)"]);
}

#[test]
fn messages_are_abandoned_and_dead_lettered() {
    let (driver, said) = one_order(|guest, order, said| async move {
        order.abandon().await?;
        let orders = guest.receiver("orders-queue");
        let again = orders.receive().await?;
        said.say((again.number() == order.number(), again.delivery_count()));
        again.dead_letter("never liked it").await?;
        let dead = guest.receiver("orders-queue.dead-letter").receive().await?;
        said.say(dead.number() == order.number());
        guest.send("next-queue", &dead).kind("Paid").session(Once::NONE).await?;
        dead.complete().await?;
        Ok(())
    });
    assert_eq!(said, ["(true, 1)", "true"]);
    assert_eq!((driver.held("orders-queue.dead-letter"), driver.held("next-queue")), (0, 1));
}

#[test]
fn calls_end_in_what_their_callee_says() {
    let (driver, said) = one_order(|guest, order, said| async move {
        said.say(guest.call("psp.charge", &order).once(Once::ITEM).await);
        said.say(guest.insert("ledger", &order).await);
        said.say(guest.insert("ledger", &order).await);
        said.say(guest.insert("ledger", order.item()).once(Once::ITEM).await.is_ok()); // absorbed
        said.say(guest.read("ledger", &order).await);
        said.say(guest.increment("ledger", &order, -1).once(Once::ITEM).await);
        said.say(guest.call("psp.charge", &order).timeout(ms(1)).policy("none").await);
        said.say(guest.timeout(ms(1), guest.call("psp.charge", &order).into_future()).await);
        for wrong in [
            guest.call("ledger", &order).await,
            guest.send("psp.charge", &order).await,
            guest.insert("orders-queue", &order).await,
            guest.call("psp.refund", &order).await,
            guest.send("next-queue", &order).kind("Lost").await,
            guest.send("next-queue", &order).policy("mine").await,
        ] {
            said.say(wrong.expect_err("wrong").to_string());
        }
        Ok(())
    });
    let wanted = [
        "Ok(())",
        "Ok(())",
        "Err(Refused)",
        "true",
        "Ok(())",
        "Ok(())",
        "Err(Unknown)",
        "Err(Elapsed)",
        "\"`ledger` cannot be called; name an app, a gateway or an endpoint\"",
        "\"nothing can be sent to `psp.charge`; name a queue or a topic\"",
        "\"`orders-queue` is no store; name a table or container\"",
        "\"there is no `psp.refund`; there is: psp.charge, psp\"",
        "\"the scenario knows no message type `Lost`; name it under `types:` of the guest\"",
        "\"there is no policy `mine`; the policies are: none, sdk\"",
    ];
    assert_eq!(said, wanted);
    assert!(driver.born("psp.charge") >= 1);
}

#[test]
fn a_guest_that_returns_fails_or_panics_is_started_again() {
    for how in 0..3 {
        let program = move |guest: Guest| async move {
            let order = guest.receiver("orders-queue").receive_and_delete().receive().await?;
            handle(&guest, &order).await?;
            let _held = guest.receiver("orders-queue").receive_and_delete().receive().await?;
            match how {
                0 => Ok(()),
                1 => Err("no more".into()),
                _ => panic!("a bug"),
            }
        };
        let driver = Driver::run(blueprint(), Guests::new().with("worker", program));
        // Starts after 10, 20, 40, 80, 160 and then every 300 s.
        assert!((10..15).contains(&driver.started), "{}", driver.started);
        assert_eq!(driver.ended("worker", End::Completed), driver.ended("worker", End::Destroyed));
        let troubles = driver.count(|what| matches!(what, What::Trouble { symptom: Symptom::RunFailed, .. }));
        assert_eq!(troubles > 0, how > 0);
        driver.books_balance();
        let words = driver.last_words();
        assert_eq!(words.as_deref(), [None, Some("no more"), Some("panicked: a bug")][how]);
    }
}

#[test]
fn a_guest_without_a_program_says_so() {
    let driver = Driver::unchecked(blueprint(), Guests::new().with("other", peek_lock));
    assert_eq!(driver.last_words().as_deref(), Some("there is no program `worker`; registered are: other"));
}

#[test]
fn a_paused_guest_goes_on_where_it_was() {
    let paused = FaultKind::ProcPause(process::Pause {
        target: "worker".to_owned(),
        at: Some(At::Instant(Span::secs(20))),
        lasts: Some(Span::secs(15)),
        ..process::Pause::default()
    });
    let driver = Driver::run(with_fault(blueprint(), paused), Guests::new().with("worker", peek_lock));
    assert_eq!(driver.started, 1);
    assert_eq!(driver.born("ledger"), driver.born("orders-queue"));
    assert!(driver.count(|what| matches!(what, What::Symptom(Symptom::Redelivery))) > 0, "its lock ran out");
    driver.books_balance();
}
