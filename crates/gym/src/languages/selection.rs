//! Which tests a run is about, and what it records.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::record::TestId;

/// Which tests to run, and what to record about them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Selection {
    /// Test files, relative to the project. Only these are imported.
    pub files: Vec<String>,
    /// Exactly these tests of the files; all tests when empty.
    pub tests: Vec<TestId>,
    /// Whether to record what failing tests show. Costs time, and evaluates calls again after all tests.
    pub symptoms: bool,
    /// Whether to record which functions each test enters. Slow.
    pub coverage: bool,
    /// Processor time after which the run is stopped as if its wall time were up, in whole seconds. Unlike wall time it does not
    /// depend on what else the machine does.
    pub processor: Option<Duration>,
    /// Processor time after which a single test is given up and fails, so that the others still run. Only pytest knows it.
    pub patience: Option<Duration>,
}

impl Selection {
    /// All tests of some files.
    pub fn files<S: Into<String>>(files: impl IntoIterator<Item = S>) -> Self {
        Self { files: files.into_iter().map(Into::into).collect(), ..Self::default() }
    }

    /// Exactly these tests; their files are imported.
    pub fn tests<'a>(tests: impl IntoIterator<Item = &'a TestId>) -> Self {
        let tests: Vec<TestId> = tests.into_iter().cloned().collect();
        let files: BTreeSet<&str> = tests.iter().filter_map(|id| id.split("::").next()).collect();
        Self { files: files.into_iter().map(str::to_owned).collect(), tests, ..Self::default() }
    }

    /// The same with symptoms.
    #[must_use]
    pub fn with_symptoms(self) -> Self {
        Self { symptoms: true, ..self }
    }

    /// The same with coverage.
    #[must_use]
    pub fn with_coverage(self) -> Self {
        Self { coverage: true, ..self }
    }

    /// The same within some processor time.
    #[must_use]
    pub fn within(self, processor: Option<Duration>) -> Self {
        Self { processor, ..self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn selected_tests_import_only_their_files() {
        let ids =
            ["tests/b.py::test_x".to_owned(), "tests/a.py::C::test_y".to_owned(), "tests/b.py::test_z[1]".to_owned()];
        assert_eq!(Selection::tests(&ids).files, ["tests/a.py", "tests/b.py"]);
    }
}
