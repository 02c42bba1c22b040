//! From a table of verdicts to a program of the kernel's packet filter machine.
//!
//! The program searches by halving: when it is installed, the kernel runs it once for each call that exists, and a chain
//! of comparisons would make that longer than the rest of making a box.

use std::collections::BTreeMap;

use libc::{BPF_ABS, BPF_ALU, BPF_AND, BPF_JA, BPF_JEQ, BPF_JGE, BPF_JMP, BPF_K, BPF_LD, BPF_RET, BPF_W, sock_filter};

use super::table::{Condition, Is, Refusal, Verdict};

#[cfg(target_arch = "x86_64")]
const ARCHITECTURE: u32 = 0xc000_003e;
#[cfg(target_arch = "aarch64")]
const ARCHITECTURE: u32 = 0xc000_00b7;

/// Offsets in what the kernel shows of a call.
const NUMBER: u32 = 0;
const MACHINE: u32 = 4;
const ARGUMENTS: u32 = 16;

const ALLOW: u32 = libc::SECCOMP_RET_ALLOW;
const KILL: u32 = libc::SECCOMP_RET_KILL_PROCESS;

/// The program for `calls`; calls that are not in it fail with `ENOSYS`, and those of another architecture kill.
pub(super) fn compile(calls: &BTreeMap<u32, Verdict>) -> Vec<sock_filter> {
    let mut program = vec![load(MACHINE), jump(BPF_JEQ, ARCHITECTURE, 1, 0), give(KILL), load(NUMBER)];
    program.extend(search(&runs(calls, Verdict::Refused(libc::ENOSYS))));
    program
}

/// The program for `calls` behind one of [`compile`], which decides alone about calls that are not in it and other architectures.
pub(super) fn compile_behind(calls: &BTreeMap<u32, Verdict>) -> Vec<sock_filter> {
    let mut program = vec![load(NUMBER)];
    program.extend(search(&runs(calls, Verdict::Allowed)));
    program
}

/// Where each run of equal verdicts starts; the last one has no end.
fn runs(calls: &BTreeMap<u32, Verdict>, unknown: Verdict) -> Vec<(u32, Verdict)> {
    let end = calls.last_key_value().map_or(0, |(number, _)| number + 1);
    let mut runs = Vec::new();
    for number in 0..=end {
        let verdict = calls.get(&number).copied().unwrap_or(unknown);
        if runs.last().is_none_or(|(_, last)| *last != verdict) {
            runs.push((number, verdict));
        }
    }
    runs
}

fn search(runs: &[(u32, Verdict)]) -> Vec<sock_filter> {
    let middle = runs.len() / 2;
    if middle == 0 {
        return leaf(runs[0].1);
    }
    let (left, right) = (search(&runs[..middle]), search(&runs[middle..]));
    let first = runs[middle].0;
    let mut program = match u8::try_from(left.len()) {
        Ok(near) => vec![jump(BPF_JGE, first, near, 0)],
        // Only the unconditional jump reaches further.
        Err(_) => vec![jump(BPF_JGE, first, 0, 1), over(left.len())],
    };
    program.extend(left);
    program.extend(right);
    program
}

fn leaf(verdict: Verdict) -> Vec<sock_filter> {
    match verdict {
        Verdict::Allowed => vec![give(ALLOW)],
        Verdict::Refused(error) => vec![give(refusal(error))],
        Verdict::Unless(refusals) => {
            let mut program: Vec<sock_filter> = refusals.iter().flat_map(|refusal| check(refusal)).collect();
            program.push(give(ALLOW));
            program
        }
    }
}

/// Refuses when all conditions hold, and else goes on behind.
fn check(conditions: Refusal) -> Vec<sock_filter> {
    let mut program = Vec::new();
    for Condition { argument, is } in conditions.iter().rev() {
        // Behind this one: what is left of the check, and its refusal.
        let rest = program.len() as u8 + if program.is_empty() { 1 } else { 0 };
        let mut step = vec![load(ARGUMENTS + 8 * argument)];
        match is {
            Is::Equal(value) => step.push(jump(BPF_JEQ, *value, 0, rest)),
            Is::Other(value) => step.push(jump(BPF_JEQ, *value, rest, 0)),
            Is::Flagged(bits) => {
                step.push(sock_filter { code: (BPF_ALU | BPF_AND | BPF_K) as u16, jt: 0, jf: 0, k: *bits });
                step.push(jump(BPF_JEQ, 0, rest, 0));
            }
        }
        if program.is_empty() {
            program.push(give(refusal(libc::EPERM)));
        }
        step.append(&mut program);
        program = step;
    }
    program
}

fn refusal(error: i32) -> u32 {
    libc::SECCOMP_RET_ERRNO | error as u32
}

fn load(offset: u32) -> sock_filter {
    sock_filter { code: (BPF_LD | BPF_W | BPF_ABS) as u16, jt: 0, jf: 0, k: offset }
}

fn over(steps: usize) -> sock_filter {
    sock_filter { code: (BPF_JMP | BPF_JA) as u16, jt: 0, jf: 0, k: steps as u32 }
}

fn jump(kind: u32, value: u32, yes: u8, no: u8) -> sock_filter {
    sock_filter { code: (BPF_JMP | kind | BPF_K) as u16, jt: yes, jf: no, k: value }
}

fn give(value: u32) -> sock_filter {
    sock_filter { code: (BPF_RET | BPF_K) as u16, jt: 0, jf: 0, k: value }
}

#[cfg(test)]
mod tests {
    use super::super::table;
    use super::*;

    /// What the kernel would do: runs the program on a call.
    fn run(program: &[sock_filter], machine: u32, number: u32, arguments: [u32; 3]) -> u32 {
        let (mut next, mut value) = (0, 0);
        loop {
            let step = program[next];
            next += 1;
            let code = u32::from(step.code);
            if code == BPF_LD | BPF_W | BPF_ABS {
                value = match step.k {
                    NUMBER => number,
                    MACHINE => machine,
                    offset => arguments[((offset - ARGUMENTS) / 8) as usize],
                };
            } else if code == BPF_JMP | BPF_JA {
                next += step.k as usize;
            } else if code == BPF_ALU | BPF_AND {
                value &= step.k;
            } else if code == BPF_RET {
                return step.k;
            } else {
                let holds = if code == BPF_JMP | BPF_JEQ { value == step.k } else { value >= step.k };
                next += usize::from(if holds { step.jt } else { step.jf });
            }
        }
    }

    fn verdict(number: i64, arguments: [u32; 3]) -> u32 {
        run(&compile(&table::calls()), ARCHITECTURE, number as u32, arguments)
    }

    #[test]
    fn every_call_gets_the_verdict_of_the_table() {
        let calls = table::calls();
        let program = compile(&calls);
        for number in 0..600 {
            let expected = match calls.get(&number) {
                Some(Verdict::Allowed) => ALLOW,
                Some(Verdict::Refused(error)) => refusal(*error),
                None => refusal(libc::ENOSYS),
                Some(Verdict::Unless(_)) => continue,
            };
            assert_eq!(run(&program, ARCHITECTURE, number, [0; 3]), expected, "{number}");
        }
        assert!(program.len() < 1000, "{} steps", program.len());
    }

    #[test]
    fn arguments_decide_where_the_table_says_so() {
        let no = refusal(libc::EPERM);
        let socket = |family: i32, protocol: i32| verdict(libc::SYS_socket, [family as u32, 1, protocol as u32]);
        for (family, protocol) in [(libc::AF_UNIX, 0), (libc::AF_INET, 6), (libc::AF_INET6, 17), (libc::AF_NETLINK, 0)]
        {
            assert_eq!(socket(family, protocol), ALLOW, "{family} {protocol}");
        }
        for (family, protocol) in [(libc::AF_VSOCK, 0), (libc::AF_PACKET, 0), (libc::AF_ALG, 0), (libc::AF_NETLINK, 9)]
        {
            assert_eq!(socket(family, protocol), no, "{family} {protocol}");
        }
        assert_eq!(socket(libc::AF_INET, libc::IPPROTO_SCTP), no);
        assert_eq!(verdict(libc::SYS_clone, [libc::SIGCHLD as u32, 0, 0]), ALLOW);
        assert_eq!(verdict(libc::SYS_clone, [(libc::CLONE_NEWUSER | libc::SIGCHLD) as u32, 0, 0]), no);
        assert_eq!(verdict(libc::SYS_prlimit64, [0, 7, 0]), ALLOW);
        assert_eq!(verdict(libc::SYS_prlimit64, [1, 7, 0]), no);
        assert_eq!(verdict(libc::SYS_ioctl, [0, 0x5401, 0]), ALLOW);
        assert_eq!(verdict(libc::SYS_ioctl, [0, 0x5412, 0]), no);
        assert_eq!(verdict(libc::SYS_personality, [0xffff_ffff, 0, 0]), ALLOW);
        assert_eq!(verdict(libc::SYS_personality, [0x0040_0001, 0, 0]), no);
    }

    #[test]
    fn the_stricter_verdict_of_both_parts_is_that_of_the_whole() {
        let (first, second) = table::parts();
        let [whole, first, second] = [compile(&table::calls()), compile(&first), compile_behind(&second)];
        assert!(second.len() < 80 && second.len() < first.len() / 3, "{} and {} steps", first.len(), second.len());
        let values = [0, 1, 2, 9, 17, 0x80, 0x5412, 0x0002_0000, 0x1000_0011, 0x4000_0000, u32::MAX];
        let numbers = (0..600).chain([0x4000_0001, u32::MAX]);
        for (machine, number) in numbers.flat_map(|number| [(ARCHITECTURE, number), (0x4000_0003, number)]) {
            for arguments in values.iter().flat_map(|a| values.iter().map(move |b| [*a, *b, a ^ b])) {
                let verdicts = [&second, &first].map(|part| run(part, machine, number, arguments));
                let stricter = verdicts.into_iter().find(|verdict| *verdict == KILL);
                let stricter = stricter.or(verdicts.into_iter().find(|verdict| *verdict != ALLOW)).unwrap_or(ALLOW);
                assert_eq!(stricter, run(&whole, machine, number, arguments), "{number} {arguments:?}");
            }
        }
    }

    #[test]
    fn calls_of_other_architectures_kill_and_those_of_x32_do_not_exist() {
        let program = compile(&table::calls());
        assert_eq!(run(&program, 0x4000_0003, 1, [0; 3]), KILL);
        assert_eq!(run(&program, ARCHITECTURE, 0x4000_0001, [0; 3]), refusal(libc::ENOSYS));
    }
}
