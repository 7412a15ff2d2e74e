//! The explorer's code. The pieces are one function when they run, so that they share the data and the view and
//! leave nothing behind in the page; each holds one idea.

/// The code as it stands in the page.
pub(super) const CODE: &str = concat!(
    "(function () {\n'use strict';\n\n",
    include_str!("code/state.js"),
    include_str!("code/words.js"),
    include_str!("code/elements.js"),
    include_str!("code/found.js"),
    include_str!("code/numbers.js"),
    include_str!("code/health.js"),
    include_str!("code/axis.js"),
    include_str!("code/rows.js"),
    include_str!("code/map.js"),
    include_str!("code/said.js"),
    include_str!("code/lists.js"),
    include_str!("code/filters.js"),
    include_str!("code/choosing.js"),
    include_str!("code/links.js"),
    include_str!("code/all.js"),
    "})();\n",
);
