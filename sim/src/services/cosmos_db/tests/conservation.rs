//! Whatever is asked of an account, crashes included: its copies balance, and its feed shows its rows.

use proptest::prelude::*;

use super::*;
use crate::services::bench::Books;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]
    #[test]
    fn what_was_born_and_has_not_ended_is_held(
        steps in prop::collection::vec((0..9u8, 0..6u32, 0..4u8, 0..8u64), 1..80)
    ) {
        let config = CosmosDb { physical_partitions: Some(3), ..config() };
        let plan = plan(config.clone());
        let mut rig = read_account(&config, &plan);
        let mut books = Books::default();
        let mut call = 0;
        for (what, number, once, wait) in steps {
            call += 1;
            let verb = match what {
                0 | 1 => WriteVerb::Insert,
                2 | 3 => WriteVerb::Upsert,
                4 => WriteVerb::Append,
                5 => WriteVerb::Increment,
                6 | 7 => WriteVerb::Delete,
                _ => {
                    books.book(&rig.crash());
                    continue;
                }
            };
            let once = [Once::NONE, Once::ITEM, Once::RUN, Once::KEY][usize::from(once)];
            let mut one = operation(verb, EVENT, once);
            one.ttl = if number % 2 == 0 { Span::FOREVER } else { Span::millis(wait * 7) };
            let operations = [operation(WriteVerb::Upsert, ORDER, once), one];
            books.book(&rig.message(1, write(call, &[item(number)], &operations)));
            books.book(&rig.advance(Span::millis(wait)));
            prop_assert_eq!(&books.held(&rig), &books.copies);
            prop_assert!(books.handled.values().all(|times| *times == 1));
        }
        // What the feed shows and what the table holds is the same, when nobody has read anything.
        books.book(&rig.advance(Span::secs(9)));
        let event = plan.place_named("it.event").expect("the place");
        let mut shown: Vec<u32> = (0..3).flat_map(|range| page(&mut rig, range, 0, 999).0).collect();
        let mut rows: Vec<u32> = Vec::new();
        for held in rig.held().iter().filter(|held| held.place == event) {
            rows.extend(std::iter::repeat_n(held.item.number, held.copies as usize));
        }
        shown.sort_unstable();
        rows.sort_unstable();
        prop_assert_eq!(shown, rows);
    }
}
