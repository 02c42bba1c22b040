//! The evaluator against a real interpreter.

use std::path::Path;
use std::process::Command;

use super::{Program, Stop};

/// Bodies of functions that return; each is a line, with `;` and `:` as in Python.
const BODIES: [&str; 40] = [
    "return [7 // 2, -7 // 2, 7 // -2, -7 // -2, 7 % 3, -7 % 3, 7 % -3, -7 % -3, 2 ** 5]",
    "return [1 < 2 < 3, 1 < 3 < 2, 3 > 2 == 2, not 0, 1 in [1], 'b' in 'abc', 2 not in (1,), None is None]",
    "return [0 or 5, 3 and 4, '' or 'x', 0 and 1, True + True, 1 == True, [1, 2] < [1, 3], (1,) < (1, 0)]",
    "x = [1, 2, 3, 4, 5]; return [x[1:3], x[:-1], x[::-1], x[-2:], x[5:], x[3:1], x[::2], x[4:0:-2], x[-9:9]]",
    "x = 'hello'; return [x[0], x[-1], x[1:3], x[::-1], x[9:], x * 2, 0 * x, x + '!']",
    "x = [3, 1, 2]; x[0] += 4; x.append(9); x.extend([1]); x.insert(1, 8); x.insert(-1, 7); return [x, x.pop(), x.pop(0), x]",
    "x = [3, 1, 2, 1]; x.remove(1); x.sort(); x.reverse(); return [x, x.index(2), x.count(3), sorted(x), sorted(x, reverse=True)]",
    "x = [1]; y = x; y += [2]; y = y + [3]; return [x, y]",
    "a, (b, c) = 1, (2, 3); a, b = b, a; return [a, b, c]",
    "d = {'a': 1, 'b': 2}; d['c'] = 3; d['a'] += 5; return [d, d.get('z'), d.get('z', 9), d.get('a', 9), len(d), 'a' in d]",
    "d = {'b': 1, 'a': 2}; return [sorted(d), list(d), list(d.values()), list(d.items()), d.pop('b'), d, d.setdefault('q', 4), d]",
    "return [{k: v + 1 for k, v in {'a': 1, 'b': 2}.items() if v > 1}, [x * y for x, y in [(1, 2), (3, 4)]]]",
    "return [sum(x > 1 for x in [1, 2, 3]), any(x > 2 for x in [1]), all([]), max([1, 3, 2]), min(4, 2), max([], default=7)]",
    "return [list(range(3)), list(range(1, 4)), list(range(5, 0, -2)), list(enumerate('ab', 1)), list(zip([1, 2, 3], 'ab'))]",
    "return [abs(-3), int('12'), int(True), str(5), str([1, 'a']), str(None), list('abc'), tuple([1]), bool([])]",
    "return ['a-b--c'.split('-'), ' a  b '.split(), '-'.join(['x', 'y']), 'abcabc'.replace('b', 'X'), 'abab'.count('ab')]",
    "return ['abcb'.find('b'), 'abcb'.rfind('b'), 'abc'.find('z'), 'abc'.startswith('ab'), 'abc'.endswith('b'), 'ab'.upper(), 'aB'.lower()]",
    "return [' a '.strip(), 'xxaxx'.strip('x'), 'xxa'.lstrip('x'), 'axx'.rstrip('x'), '7'.zfill(3), 'a'.rjust(3, '.'), 'a'.ljust(3, '.')]",
    "return ['12'.isdigit(), ''.isdigit(), 'ab'.isalpha(), 'A1'.isupper(), 'a1'.islower(), ord('a'), chr(98)]",
    "return [1 if [] else 2, (1, 2), (1,), (), [], {}, '', None, True, -5, 'it']",
    "t = 0\n for i in range(10):\n  if i == 2: continue\n  if i > 5: break\n  t += i\n return t",
    "n = 0\n while n < 10:\n  n += 3\n  if n > 7: return n\n return -1",
    "x = 3\n if x > 5: y = 1\n elif x > 2: y = 2\n else: y = 3\n return y",
    "for i, c in enumerate('abc'):\n  pass\n return [i, c]",
    "x = [i for i in range(3)]; i = 9; y = [i for i in x]; return [i, y]",
    "s = ''\n for c in 'abc': s = c + s\n return s",
    "x = [[1, 2], [3]]; x[0][1] = 7; y = list(x); y.append(1); return [x, y, [0] * 3, [1] + [2]]",
    "return helper(2) + helper(2, 3) + helper(2, b=5)",
    "b = Box(4); b.put(3); b.put(9); return [b.items, b.size, len(b.items)]",
    "return LIMIT + 1",
    "return [1 <= 1 <= 1, 1 != 1, not 1 == 2, 5 if 1 > 2 or 3 > 2 else 6, -(3 - 5), 2 - 3 - 4, 2 * 3 + 4 * 5]",
    "return [max('b', 'ab'), min([2, 1, 1]), sorted(['b', 'a']), sorted([(2, 'a'), (1, 'b')]), sum([1, 2], 3)]",
    // What raises.
    "return [1][1]",
    "return {}['a']",
    "return 1 // 0",
    "return 'a' + 1",
    "return max([])",
    "return [].pop()",
    "return int('x')",
    "return unknown_name",
];

const SHARED: &str = "
LIMIT = 41
class Box:
    def __init__(self, size):
        self.size = size
        self.items = []
    def put(self, item):
        if item < self.size:
            self.items.append(item)
            self.size -= 1
def helper(a, b=10):
    return a * b
";

#[test]
fn values_are_those_of_a_real_interpreter() {
    let interpreter = Path::new("/usr/bin/python3");
    if !interpreter.exists() {
        return eprintln!("skipped: no `{}`", interpreter.display());
    }
    let mut source = SHARED.to_owned();
    for (number, body) in BODIES.iter().enumerate() {
        source += &format!("def case_{number}():\n {body}\n");
    }
    let mut program = Program::default();
    program.load(&source).unwrap();
    let results = (0..BODIES.len()).map(|number| match program.call(&format!("case_{number}"), &[]) {
        Ok(value) => value.to_string(),
        Err(Stop::Raised) => "raised".to_owned(),
        Err(stop) => format!("{stop:?}"),
    });
    let results: Vec<String> = results.collect();
    let check = "
for number in range(COUNT):
    try:
        print(repr(globals()[f'case_{number}']()))
    except Exception:
        print('raised')
";
    let script = source + &check.replace("COUNT", &BODIES.len().to_string());
    let output = Command::new(interpreter).args(["-c", &script]).output().unwrap();
    let expected = String::from_utf8(output.stdout).unwrap();
    for (number, (result, expected)) in results.iter().zip(expected.lines()).enumerate() {
        assert_eq!(result, expected, "{}", BODIES[number]);
    }
    assert_eq!(expected.lines().count(), BODIES.len());
}

#[test]
fn endless_loops_and_recursion_end() {
    let mut program = Program::default();
    program.load("def f():\n while True:\n  pass\ndef g(n):\n return g(n + 1)\n").unwrap();
    assert_eq!(program.call("f", &[]).unwrap_err(), Stop::TooLong);
    assert_eq!(program.call("g", &[super::Value::Int(1)]).unwrap_err(), Stop::TooLong);
}

#[test]
fn what_is_not_known_is_said() {
    let mut program = Program::default();
    program.load("def f(x):\n return x.title()\n").unwrap();
    assert!(matches!(program.call("f", &[super::Value::text("a")]), Err(Stop::Unsupported(_))));
    for body in ["with x: pass", "return f'{x}'", "return lambda: x", "x: int = 1", "return [1 for a in x for b in a]"]
    {
        let loaded = program.load(&format!("def f(x):\n {body}\n"));
        assert!(matches!(loaded, Err(Stop::Unsupported(_))), "{body}");
    }
}
