//! Generated packages, as seen from outside.

use std::collections::{BTreeSet, HashSet};
use std::path::Path;
use std::process::Command;
use std::sync::LazyLock;

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

use super::cases::Cases;
use super::evaluator::Program;
use super::fragment::Fragment;
use super::template::Template;
use super::vocabulary::Names;
use super::*;
use crate::languages;

/// Packages of each split; fewer where nothing is optimised.
const PACKAGES: u64 = if cfg!(debug_assertions) { 60 } else { 200 };
const SPLITS: [Split; 2] = [Split::Train, Split::HeldOut];

/// The first packages of a split, made once for all tests.
fn packages(split: Split) -> &'static [Generated] {
    static MADE: LazyLock<[Vec<Generated>; 2]> =
        LazyLock::new(|| SPLITS.map(|split| (0..PACKAGES).map(|seed| generate_detailed(seed, split)).collect()));
    &MADE[usize::from(split == Split::HeldOut)]
}

fn sources(project: &Project) -> impl Iterator<Item = (&str, &str)> {
    let modules = project.tree.paths().filter(|path| path.ends_with(".py") && !path.starts_with("tests/"));
    modules.map(|path| (path, project.tree.text(path).unwrap()))
}

#[test]
fn a_seed_gives_the_same_bytes_again() {
    for split in SPLITS {
        assert_eq!(generate(7, split).tree, generate(7, split).tree);
        assert_ne!(generate(7, split).tree.id(), generate(8, split).tree.id());
    }
    assert_ne!(generate(7, Split::Train).tree.id(), generate(7, Split::HeldOut).tree.id());
}

#[test]
fn there_are_enough_templates_and_the_splits_share_none() {
    let bodies = |split| -> HashSet<&str> { Template::all(split).iter().map(|template| template.text).collect() };
    let (train, held_out) = (bodies(Split::Train), bodies(Split::HeldOut));
    assert!(train.len() >= 36 && held_out.len() >= 18, "{} and {}", train.len(), held_out.len());
    assert!(train.is_disjoint(&held_out));
}

#[test]
fn leaves_nearly_always_find_cases() {
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    for split in SPLITS {
        for template in Template::all(split).iter().filter(|template| template.is_leaf()) {
            let mut found = 0;
            for _ in 0..5 {
                let mut names = Names::new(split);
                let fragment = Fragment::fill(template, &[], None, split, &mut names, &mut rng);
                let mut program = Program::default();
                program.load(fragment.constant.as_deref().unwrap_or_default()).unwrap();
                program.load(&fragment.text).unwrap();
                found += usize::from(Cases::choose(&program, &fragment, &mut rng).is_some());
            }
            assert!(found >= 4, "{split:?} {}: {found} of 5", template.name);
        }
    }
}

#[test]
fn every_template_is_used() {
    for split in SPLITS {
        let functions = packages(split).iter().flat_map(|made| &made.functions);
        let used: HashSet<&str> = functions.map(|function| &*function.template).collect();
        let unused: Vec<&str> =
            Template::all(split).iter().map(|template| &*template.name).filter(|name| !used.contains(name)).collect();
        assert_eq!(unused, Vec::<&str>::new());
    }
}

#[test]
fn the_splits_share_no_identifier_but_those_of_python() {
    const PYTHON: [&str; 40] = [
        "self",
        "__init__",
        "len",
        "sum",
        "min",
        "max",
        "sorted",
        "range",
        "enumerate",
        "zip",
        "str",
        "dict",
        "append",
        "pop",
        "split",
        "join",
        "upper",
        "get",
        "items",
        "values",
        "reverse",
        "True",
        "False",
        "None",
        "find",
        "lower",
        "tests",
        "list",
        "abs",
        "any",
        "all",
        "int",
        "bool",
        "keys",
        "extend",
        "strip",
        "count",
        "index",
        "insert",
        "sort",
    ];
    let identifiers = |split| -> BTreeSet<String> {
        let mut found = BTreeSet::new();
        for made in packages(split) {
            for (path, text) in sources(&made.project) {
                found.extend(path.trim_end_matches(".py").split('/').map(str::to_owned));
                // Docstrings are in plain words, which both splits use.
                let code: String = text.split("\"\"\"").step_by(2).collect();
                let code: String = code.split('\'').step_by(2).collect();
                let words = code.split(|letter: char| !letter.is_alphanumeric() && letter != '_');
                found.extend(words.filter(|word| word.len() > 2).map(str::to_owned));
            }
        }
        found
    };
    let keywords =
        ["and", "break", "class", "continue", "def", "elif", "else", "for", "from", "import", "not", "return", "while"];
    let (train, held_out) = (identifiers(Split::Train), identifiers(Split::HeldOut));
    let shared: Vec<_> = train
        .intersection(&held_out)
        .filter(|word| !PYTHON.contains(&&***word) && !keywords.contains(&&***word) && word.parse::<i64>().is_err())
        .collect();
    assert_eq!(shared, Vec::<&String>::new());
}

#[test]
fn packages_are_small_and_chained() {
    for split in SPLITS {
        for (seed, made) in packages(split).iter().enumerate() {
            let modules: Vec<_> = sources(&made.project).filter(|(path, _)| !path.ends_with("__init__.py")).collect();
            assert!((2..=5).contains(&modules.len()) && (5..=12).contains(&made.functions.len()), "{split:?} {seed}");
            assert!(modules.iter().any(|(_, text)| text.contains("import ")), "{split:?} {seed}");
            for (path, text) in modules {
                assert!((25..=45).contains(&text.lines().count()), "{split:?} {seed} {path}");
                let longest = text.lines().max_by_key(|line| line.len()).unwrap();
                assert!(longest.len() <= 100, "{split:?} {seed} {path}: {longest}");
                for function in text.split("\n\n\ndef ").skip(1) {
                    let lines = function.trim_end().split("\n\n\n").next().unwrap().lines().count();
                    assert!(lines <= 14, "{split:?} {seed} {path}: {lines} lines");
                }
            }
            assert!(made.functions.iter().all(|function| function.inputs.len() >= 8));
            assert_eq!(made.project.tests.files.len(), sources(&made.project).count() - 1);
        }
    }
}

#[test]
fn nearly_all_mutants_fail_the_tests_of_their_function() {
    for split in SPLITS {
        let (mut mutants, mut killed, mut all) = (0, 0, 0);
        for made in packages(split) {
            mutants += made.functions.iter().map(|function| function.mutants).sum::<usize>();
            killed += made.functions.iter().map(|function| function.killed).sum::<usize>();
            all += sources(&made.project).map(|(path, text)| languages::mutations(path, text).len()).sum::<usize>();
        }
        assert!(all >= 100 * packages(split).len(), "{split:?}: {all}");
        assert!(killed * 100 >= mutants * 90, "{split:?}: {killed} of {mutants}");
        assert!(killed * 100 >= all * 80, "{split:?}: {killed} of {all}");
    }
}

/// Runs the tests and examples of every package below a directory; prints what is wrong, and last how much there was.
const RUNNER: &str = r"
import glob, os, re, runpy, sys
tests = examples = 0
for root in sorted(glob.glob(sys.argv[1] + '/*')):
    before = set(sys.modules)
    sys.path.insert(0, root)
    for path in glob.glob(root + '/tests/test_*.py'):
        for name, test in runpy.run_path(path).items():
            if name.startswith('test_'):
                tests += 1
                try:
                    test()
                except Exception as error:
                    print(path, name, repr(error))
    for path in glob.glob(root + '/*/[a-z]*.py'):
        if '/tests/' in path:
            continue
        space = runpy.run_path(path)
        for line in re.findall(r'Example: (.*)', open(path).read()):
            examples += 1
            if not eval(line, space):
                print(path, line)
    sys.path.remove(root)
    for name in set(sys.modules) - before:
        del sys.modules[name]
print(tests, examples)
";

#[test]
fn tests_and_examples_are_true_in_a_real_interpreter() {
    let interpreter = Path::new("/usr/bin/python3");
    if !interpreter.exists() {
        return eprintln!("skipped: no `{}`", interpreter.display());
    }
    for split in SPLITS {
        let directory = tempfile::tempdir().unwrap();
        let mut functions = 0;
        for (seed, made) in packages(split).iter().enumerate() {
            functions += made.functions.len();
            let root = directory.path().join(seed.to_string());
            std::fs::create_dir(&root).unwrap();
            made.project.tree.write_to(&root).unwrap();
        }
        let mut command = Command::new(interpreter);
        let output = command.args(["-B", "-c", RUNNER]).arg(directory.path()).output().unwrap();
        let printed = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success() && printed.lines().count() == 1, "{printed}{output:?}");
        let counts: Vec<usize> = printed.split_whitespace().map(|count| count.parse().unwrap()).collect();
        assert!((functions * 3..=functions * 5).contains(&counts[0]), "{counts:?} for {functions}");
        assert_eq!(counts[1], functions * 2);
    }
}

#[test]
#[ignore = "prints a package to look at"]
fn show() {
    let seed = std::env::var("SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(1);
    for split in SPLITS {
        for (path, bytes) in generate(seed, split).tree.iter() {
            println!("==== {path}\n{}", String::from_utf8_lossy(bytes));
        }
    }
}
