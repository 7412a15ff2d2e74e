//! Writes the explorer's parts of a results document as a page of their own, to look at them and to test
//! them in a browser: `cargo run -p beaufort-reports --example explorer -- RESULTS.json PAGE.html`.

use std::error::Error;

use beaufort_reports::Results;
use beaufort_reports::html::explorer;
use beaufort_reports::text::replay_command;

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let (Some(document), Some(page)) = (arguments.next(), arguments.next()) else {
        return Err("usage: explorer RESULTS.json PAGE.html".into());
    };
    let results = Results::from_json(&std::fs::read_to_string(document)?)?;
    std::fs::write(page, render(&results)?)?;
    Ok(())
}

fn render(results: &Results) -> Result<String, Box<dyn Error>> {
    let mut body = String::new();
    if let Some(design) = &results.design {
        body.push_str("<h2>Topology</h2><div class=\"scroll\">");
        body.push_str(&explorer::topology(design, results.seeds.first()));
        body.push_str("</div>");
    }
    for seed in &results.seeds {
        let contracts = seed.contracts.iter().flat_map(|contract| &contract.violations);
        let all = contracts.chain(seed.objectives.iter().flat_map(|objective| &objective.examples));
        for story in all.filter_map(|violation| explorer::story_diagram(violation, &seed.faults)).take(4) {
            body.push_str(&format!("<h2>Story</h2><div class=\"scroll\">{story}</div>"));
        }
        if let Some(trace) = &seed.trace {
            let command = replay_command(results, seed.seed);
            body.push_str("<h2>Explorer</h2>");
            body.push_str(&explorer::fragment(trace, results.design.as_ref(), seed, &command)?);
        }
    }
    Ok(format!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><title>Explorer</title>\
         <meta name=\"viewport\" content=\"width=device-width\"><style>{STYLE}</style></head>\
         <body>{body}</body></html>\n"
    ))
}

const STYLE: &str = "body{margin:0 auto;padding:1rem;max-width:58rem;font:16px/1.5 system-ui,sans-serif}\
    :root{color-scheme:light dark}.scroll{overflow-x:auto}\
    @media (prefers-color-scheme:dark){body{background:#14181d;color:#e6e9ee}}";
