//! The engines that can run a scenario, and what one refuses.

use std::fmt;
use std::str::FromStr;

/// On what the processes of a world run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Engine {
    /// One queue over all of them.
    #[default]
    Native,
    /// A host of turmoil for each.
    Turmoil,
    /// A node of madsim for each.
    Madsim,
}

impl Engine {
    /// All that there are.
    pub const ALL: [Engine; 3] = [Engine::Native, Engine::Turmoil, Engine::Madsim];

    /// Its name.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Engine::Native => "native",
            Engine::Turmoil => "turmoil",
            Engine::Madsim => "madsim",
        }
    }
}

impl fmt::Display for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

impl FromStr for Engine {
    type Err = String;
    fn from_str(name: &str) -> Result<Engine, String> {
        let found = Engine::ALL.into_iter().find(|engine| engine.word() == name);
        found.ok_or_else(|| format!("there is no engine `{name}`"))
    }
}
