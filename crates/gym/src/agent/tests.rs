//! The real loop with the real tools in a real sandbox; only the policy is scripted.

use std::collections::VecDeque;
use std::time::Duration;

use async_trait::async_trait;
use basis_sandbox::Command;
use pollster::FutureExt as _;

use super::{Acted, AgentLimits, run};
use crate::episode::{End, FileChange, Message, Reply, Role, Submission, ToolCall};
use crate::policy::{Action, Policy, PolicyError, Session, nothing::Nothing, reference::Reference};
use crate::testkit::{sandbox, task};

const FILES: &[(&str, &str)] = &[("a.py", "x = 1\ny = 1\n"), ("pkg/b.py", "z = 3\n")];

/// Gives its actions in order and keeps what it was told; ends with an empty answer.
#[derive(Default)]
struct Script {
    actions: VecDeque<Action>,
    told: Vec<Message>,
}

#[async_trait]
impl Session for Script {
    async fn act(&mut self, new: &[Message]) -> Result<Action, PolicyError> {
        self.told.extend_from_slice(new);
        Ok(self.actions.pop_front().unwrap_or(Action::Reply(Reply::default())))
    }
}

fn calls(calls: impl IntoIterator<Item = ToolCall>) -> Action {
    Action::Reply(Reply { calls: calls.into_iter().collect(), ..Reply::default() })
}

fn answer(text: &str) -> Action {
    Action::Reply(Reply { text: text.into(), ..Reply::default() })
}

fn bash(command: &str) -> ToolCall {
    ToolCall::Bash { command: command.into() }
}

fn edit(path: &str, old: &str, new: &str) -> ToolCall {
    ToolCall::StrReplace { path: path.into(), old: old.into(), new: new.into() }
}

fn play_with(actions: impl IntoIterator<Item = Action>, limits: &AgentLimits) -> Acted {
    let mut session = Script { actions: actions.into_iter().collect(), ..Script::default() };
    let (_layer, mut sandbox) = sandbox(FILES);
    run(&mut session, sandbox.as_mut(), &task(), limits).block_on().expect("the sandbox holds")
}

fn play(actions: impl IntoIterator<Item = Action>) -> Acted {
    play_with(actions, &AgentLimits::default())
}

/// What the policy sees of one call.
fn seen(call: ToolCall) -> String {
    play([calls([call])]).steps[0].observations[0].text.clone()
}

/// Changed paths, and ignored ones with their reason, after one command.
fn left_by(command: &str, limits: &AgentLimits) -> (Vec<String>, Vec<(String, String)>) {
    let acted = play_with([calls([bash(command)])], limits);
    assert_eq!(acted.steps[0].observations[0].status, Some(0), "{:?}", acted.steps[0]);
    (acted.submission.files.into_iter().map(|file| file.path).collect(), acted.ignored)
}

fn pairs(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|(path, reason)| ((*path).into(), (*reason).into())).collect()
}

#[test]
fn an_answer_ends_the_episode_and_hands_in_the_changed_files() {
    let acted = play([calls([edit("a.py", "x = 1", "x = 2"), bash("rm pkg/b.py; echo new > new.py")]), answer("done")]);
    assert_eq!((acted.end, acted.steps.len()), (End::Submitted, 2));
    let change =
        |path: &str, content: Option<&str>| FileChange { path: path.into(), content: content.map(str::to_owned) };
    let files = vec![change("a.py", Some("x = 2\ny = 1\n")), change("new.py", Some("new\n")), change("pkg/b.py", None)];
    assert_eq!(acted.submission, Submission { answer: "done".into(), files });
    assert_eq!(acted.ignored, []);
}

#[test]
fn the_policy_is_told_the_prompt_and_one_observation_per_call() {
    let actions = [calls([bash("echo one"), bash("echo two")])].into();
    let mut session = Script { actions, ..Script::default() };
    let (_layer, mut sandbox) = sandbox(FILES);
    run(&mut session, sandbox.as_mut(), &task(), &AgentLimits::default()).block_on().expect("the sandbox holds");
    let told: Vec<_> = session.told.iter().map(|message| (message.role, message.content.as_str())).collect();
    assert_eq!(told, [(Role::User, "do it"), (Role::Tool, "one"), (Role::Tool, "two")]);
}

#[test]
fn the_turn_limit_keeps_the_files_but_takes_no_answer() {
    let acted = play((0..9).map(|turn| calls([bash(&format!("touch {turn}"))])));
    assert_eq!((acted.end, acted.steps.len()), (End::TurnLimit, 4));
    assert_eq!((acted.submission.answer.as_str(), acted.submission.files.len()), ("", 4));
}

#[test]
fn a_full_context_ends_the_episode() {
    let acted = play([calls([bash("touch a")]), Action::ContextFull]);
    assert_eq!((acted.end, acted.steps.len(), acted.submission.files.len()), (End::ContextFull, 1, 1));
}

#[test]
fn a_malformed_reply_is_answered_and_counts_as_a_turn() {
    let malformed = Reply { text: "{".into(), calls: vec![], malformed: Some("not JSON".into()) };
    let acted = play([Action::Reply(malformed), answer("done")]);
    assert_eq!((acted.end, acted.steps.len()), (End::Submitted, 2));
    let expected = "malformed reply: not JSON; expected a call of `bash` or `str_replace` or an answer";
    assert_eq!(acted.steps[0].observations[0].text, expected);
}

#[test]
fn only_so_many_calls_run_per_turn() {
    let limits = AgentLimits { calls_per_turn: 1, ..AgentLimits::default() };
    let acted = play_with([calls([bash("touch one"), bash("touch two")])], &limits);
    assert_eq!(acted.steps[0].observations[1].text, "not run: at most 1 calls per turn");
    assert_eq!(acted.submission.files.len(), 1);
}

#[test]
fn bash_shows_output_and_status() {
    assert_eq!(seen(bash("echo out; echo err >&2; exit 3")), "out\nerr\n[exit 3]");
    assert_eq!(seen(bash("true")), "[no output]");
    assert_eq!(seen(bash("pwd")), "/repo");
    assert!(seen(bash("if")).ends_with("[exit 2]"));
    assert!(seen(bash("echo \0")).starts_with("not run: "));
    assert!(seen(bash(&"#".repeat(200_000))).starts_with("not run: "));
    assert_eq!(seen(bash(&format!("echo ok {}", "#".repeat(99_000)))), "ok");
}

#[test]
fn every_command_has_a_fresh_shell_but_the_same_files() {
    let acted = play([calls([bash("cd /tmp; X=1; echo kept > f"), bash("pwd; echo x$X; cat /tmp/f")])]);
    assert_eq!(acted.steps[0].observations[1].text, "/repo\nx\nkept");
    assert_eq!(acted.submission.files, [], "files outside the repository are not handed in");
}

#[test]
fn a_command_that_takes_too_long_is_killed() {
    let limits = AgentLimits { command_wall: Duration::from_millis(300), ..AgentLimits::default() };
    let acted = play_with([calls([bash("echo first; sleep 1000"), bash("echo second")])], &limits);
    let texts: Vec<&str> = acted.steps[0].observations.iter().map(|seen| seen.text.as_str()).collect();
    assert_eq!(texts, ["first\n[killed after 0.3 s]", "second"]);
}

#[test]
fn long_output_keeps_head_and_tail() {
    let text = seen(bash("seq 1 1000000; exit 1"));
    assert!(text.starts_with("1\n2\n3\n") && text.ends_with("\n[exit 1]"), "{text}");
    assert!(text.contains("bytes left out]\n") && text.len() < 4_100, "{} bytes", text.len());
}

#[test]
fn str_replace_says_ok_or_what_is_wrong() {
    assert_eq!(seen(edit("a.py", "x = 1", "x = 2")), "ok");
    assert_eq!(seen(edit("deep/er/new.py", "", "n = 1\n")), "ok");
    assert_eq!(seen(edit("c.py", "x", "y")), "no file `c.py`");
    assert_eq!(seen(edit("a.py", "", "y")), "`a.py` exists; give the text to replace as `old`");
    assert_eq!(seen(edit("a.py", "q", "y")), "`old` does not occur in `a.py`");
    assert_eq!(seen(edit("a.py", "1", "2")), "`old` occurs 2 times in `a.py`, on lines 1, 2");
    assert_eq!(seen(edit("pkg", "1", "2")), "`pkg` is not a regular file in the repository");
    assert_eq!(seen(edit("../a.py", "1", "2")), "`../a.py` is not the path of a file in the repository");
}

#[test]
fn paths_that_no_file_can_have_are_the_agents_fault() {
    for path in ["a.py/b", "pkg", "/etc/passwd", "link/passwd", &"d/".repeat(400), &"n".repeat(256)] {
        let acted = play([calls([bash("ln -s /etc link"), edit(path, "", "new")])]);
        assert_ne!(acted.steps[0].observations[1].text, "ok", "{path}");
    }
}

#[test]
fn a_full_disk_is_the_agents_fault() {
    let acted = play([calls([bash("yes > big"), edit("new.py", "", &"n".repeat(100_000))])]);
    assert_eq!(acted.end, End::Submitted);
    assert_eq!(acted.ignored.len(), 1, "{:?}", acted.ignored);
}

#[test]
fn what_is_not_a_text_file_is_ignored_with_its_reason() {
    let (files, ignored) =
        left_by("printf '\\377' > bin; ln -s a.py link; mkfifo fifo; echo ok > ok", &AgentLimits::default());
    assert_eq!(files, ["ok"]);
    let expected = [("bin", "not UTF-8 text"), ("fifo", "not a regular file"), ("link", "a symbolic link")];
    assert_eq!(ignored, pairs(&expected));
}

#[test]
fn caches_are_left_out_silently() {
    let command = "mkdir -p __pycache__ pkg/__pycache__ .pytest_cache; touch __pycache__/a pkg/__pycache__/b .pytest_cache/c d.pyc";
    assert_eq!(left_by(command, &AgentLimits::default()), (vec![], vec![]));
}

#[test]
fn links_are_never_followed() {
    let command = "ln -s /etc/passwd stolen; rm -r pkg; ln -s /etc pkg; ln -sf /etc/passwd a.py";
    let acted = play([calls([bash(command), edit("stolen", "root", "r"), edit("pkg/hosts", "local", "l")])]);
    for seen in &acted.steps[0].observations[1..] {
        assert!(seen.text.ends_with("is not a regular file in the repository"), "{}", seen.text);
    }
    assert!(acted.submission.files.iter().all(|file| file.content.is_none()), "{:?}", acted.submission.files);
    assert!(acted.ignored.contains(&("stolen".into(), "a symbolic link".into())));
}

#[test]
fn large_and_many_files_are_ignored_with_their_reason() {
    let limits = AgentLimits { files: 2, file_bytes: 10, submission_bytes: 15, ..AgentLimits::default() };
    let (files, ignored) = left_by("for f in b c d e; do printf 12345678 > $f; done; printf 12345678901 > a", &limits);
    assert_eq!(files, ["b"]);
    let too_long = "8 bytes, more than the 7 allowed";
    let expected = [("a", "11 bytes, more than the 10 allowed"), ("c", too_long), ("d", too_long), ("e", too_long)];
    assert_eq!(ignored, pairs(&expected));
    let (files, ignored) = left_by("touch b c d", &limits);
    assert_eq!((files.len(), ignored), (2, pairs(&[("d", "more than 2 files")])));
}

#[test]
fn odd_names_and_modes_break_nothing() {
    let command = r"touch $'new\nline' $'\xff' 'sp ace'; echo secret > locked; chmod 0 locked; mkdir shut; touch shut/in; chmod 0 shut";
    let (files, _) = left_by(command, &AgentLimits::default());
    assert!(files.contains(&"sp ace".into()), "{files:?}");
}

#[test]
fn a_daemon_is_dead_before_the_submission_is_read() {
    let daemon = "setsid bash -c 'while :; do echo x >> grow; done' > /dev/null 2>&1 < /dev/null & until [ -s grow ]; do :; done";
    let mut session = Script { actions: [calls([bash(daemon)])].into(), ..Script::default() };
    let (_layer, mut sandbox) = sandbox(FILES);
    let acted =
        run(&mut session, sandbox.as_mut(), &task(), &AgentLimits::default()).block_on().expect("the sandbox holds");
    assert!(sandbox.exec(&Command::new(["true"])).is_err(), "the sandbox is frozen");
    let now = sandbox.read("grow", 1 << 20).expect("it was written");
    assert_eq!(acted.submission.files[0].content.as_deref().map(str::as_bytes), Some(now.as_slice()));
}

#[test]
fn a_policy_that_fails_interrupts_with_what_happened_before() {
    struct Failing;
    #[async_trait]
    impl Session for Failing {
        async fn act(&mut self, new: &[Message]) -> Result<Action, PolicyError> {
            match new[0].role {
                Role::User => Ok(calls([bash("true")])),
                _ => Err(PolicyError::Engine("no weights".into())),
            }
        }
    }
    let (_layer, mut sandbox) = sandbox(FILES);
    let interrupted =
        run(&mut Failing, sandbox.as_mut(), &task(), &AgentLimits::default()).block_on().expect_err("no weights");
    assert_eq!(interrupted.steps.len(), 1);
    assert_eq!(interrupted.cause, crate::episode::InvalidCause::Model("no weights".into()));
}

#[test]
fn nothing_hands_in_nothing() {
    let mut session = Nothing.start(&task(), 0, 0).expect("it can always do nothing");
    let (_layer, mut sandbox) = sandbox(FILES);
    let acted = run(session.as_mut(), sandbox.as_mut(), &task(), &AgentLimits::default())
        .block_on()
        .expect("the sandbox holds");
    assert_eq!((acted.end, acted.submission), (End::Submitted, Submission::default()));
}

#[test]
fn the_reference_hands_in_exactly_the_gold_submission() {
    let change =
        |path: &str, content: Option<&str>| FileChange { path: path.into(), content: content.map(str::to_owned) };
    let files = vec![
        change("a.py", Some("x = 'quote' \"and\" $HOME `date` \\\nEOF\n")),
        change("it's new/c.py", Some("no line end")),
        change("long.py", Some(&"line\n".repeat(40_000))),
        change("pkg/b.py", None),
    ];
    let gold = Submission { answer: "- a.py".into(), files };
    let handed = gold.clone();
    let reference = Reference::new(std::sync::Arc::new(move |_| Ok(handed.clone())));
    let mut session = reference.start(&task(), 0, 0).expect("there is a gold submission");
    let (_layer, mut sandbox) = sandbox(FILES);
    let acted = run(session.as_mut(), sandbox.as_mut(), &task(), &AgentLimits::default())
        .block_on()
        .expect("the sandbox holds");
    assert_eq!((acted.end, acted.submission), (End::Submitted, gold));
}

#[test]
fn an_agent_cannot_make_its_own_episode_invalid() {
    let deep = "n=$(printf 'n%.0s' $(seq 250)); for i in $(seq 40); do mkdir $n && cd $n; done; touch bottom";
    for command in
        ["kill -9 -1; kill -9 1; kill -9 $PPID", ":(){ :|:& };:", "chmod 0 /repo /tmp", "rm -rf /repo/*", deep]
    {
        let acted = play([calls([bash(command), bash("pwd"), edit("new.py", "", "")]), answer("done")]);
        assert_eq!(acted.end, End::Submitted, "{command}");
    }
}
