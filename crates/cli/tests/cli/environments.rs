//! Tasks for loops of others: `basis serve --pack`, with the Python package as its client.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

use crate::packs::package;
use crate::support::{MODULE, World};

/// Plays the reference of a task by hand and something useless, looks at a box, and says what came of it.
const CLIENT: &str = r#"
import asyncio, json, sys
from basis_gym import Client, ServerError

client = Client(sys.argv[1])
edit = client.tasks(["edit"])[0]

def call(command):
    function = {"name": "bash", "arguments": json.dumps({"command": command})}
    return {"role": "assistant", "content": "", "tool_calls": [{"id": "a", "type": "function", "function": function}]}

async def play(*commands):
    turn = await client.begin(edit["id"], "test")
    for command in commands:
        turn |= await client.act(turn["episode"], call(command))
    turn |= await client.act(turn["episode"], {"role": "assistant", "content": "done"})
    return turn["valid"], turn["reward"], turn["turns"]

print(asyncio.run(play(sys.argv[2])))
print(asyncio.run(play("ls", "cat pkg/limits.py")))
box = client.call("POST", "/sandboxes", {"task": edit["id"]})["sandbox"]
seen = client.call("POST", f"/sandboxes/{box}/exec", {"command": ["sh", "-c", "mkdir /logs/new && ls /repo && id -u"]})
print(seen["status"], seen["stdout"].split())
client.call("DELETE", f"/sandboxes/{box}")
try:
    client.call("POST", "/episodes", {"task": "none"})
except ServerError as refusal:
    print(refusal)
"#;

/// A server that ends with the test.
struct Server(std::process::Child);

impl Drop for Server {
    fn drop(&mut self) {
        let _ = Command::new("kill").arg(self.0.id().to_string()).status();
        let _ = self.0.wait();
    }
}

#[test]
fn tasks_of_a_pack_are_played_over_http_and_kept_as_a_run() {
    let world = World::new();
    package(&world);
    let mined = world.run(&["mine", "project", "--records", "2", "--skills", "edit", "--out", "pack"]);
    assert!(mined.starts_with("exit code 0"), "{mined}");
    let mut command = world.command(&["serve", "--pack", "pack", "--listen", "127.0.0.1:0"]);
    let mut server = Server(command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap());
    let said = BufReader::new(server.0.stderr.take().unwrap());
    let address = said.lines().map(|line| line.unwrap()).find_map(|line| {
        line.split_whitespace()
            .find(|word| word.starts_with("http://"))
            .map(|word| word.trim_end_matches(';').to_owned())
    });
    // What the mutation changed stands in one file: the healthy one is the repair.
    let repair = format!("cat > pkg/limits.py <<'EOF'\n{MODULE}EOF");
    let package = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../python/basis-gym/src");
    let client = Command::new("python3")
        .args(["-c", CLIENT, &address.expect("the server says where it is"), &repair])
        .env("PYTHONPATH", package)
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .output()
        .unwrap();
    let printed = format!("{}{}", String::from_utf8_lossy(&client.stdout), String::from_utf8_lossy(&client.stderr));
    let lines: Vec<&str> = printed.lines().collect();
    assert_eq!(lines.len(), 4, "{printed}");
    assert_eq!(lines[..2], ["(True, 1.0, 2)", "(True, 0.0, 3)"], "{printed}");
    assert!(lines[2].starts_with("0 ['pkg', 'tests', "), "{printed}");
    assert!(lines[3].contains("404: there is no task `none`; `GET /tasks` lists them"), "{printed}");
    drop(server);
    let shown = world.run(&["show", "last"]);
    assert!(shown.contains("edit") && shown.contains('2'), "{shown}");
}
