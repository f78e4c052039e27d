//! Secrets in AWS Secrets Manager, with moto (its rights switched on) in its place: what is kept there
//! is loaded, a new value is taken up without a restart, and where the service refuses or is away the
//! known value goes on and it is said.

use crate::AI_INFRA;
use std::process::{Child, Command, Stdio};
use std::time::Duration;
use tests::processes::wait_until;
use tests::projects::test_tools;
use tests::team::Team;

const PATIENCE: Duration = Duration::from_secs(30);

/// Two users: `owner` may everything, `team` may read what lies below `shop/`.
const SETUP: &str = r#"
import boto3, json, sys
at = dict(endpoint_url=sys.argv[1], region_name="us-east-1", aws_access_key_id="x", aws_secret_access_key="x")
iam = boto3.client("iam", **at)
def user(name, action, resource):
    iam.create_user(UserName=name)
    rule = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": action, "Resource": resource}]}
    iam.put_user_policy(UserName=name, PolicyName="p", PolicyDocument=json.dumps(rule))
    key = iam.create_access_key(UserName=name)["AccessKey"]
    return key["AccessKeyId"], key["SecretAccessKey"]
for pair in user("owner", "*", "*"), user("team", "secretsmanager:GetSecretValue", "*"):
    print(*pair)
"#;
/// Calls under `SETUP` that need no rights yet.
const FREE_CALLS: &str = "6";

const OWNER: &str = r#"
import boto3, sys
url, key, secret, what = sys.argv[1:5]
at = dict(endpoint_url=url, region_name="us-east-1", aws_access_key_id=key, aws_secret_access_key=secret)
if what == "create":
    boto3.client("secretsmanager", **at).create_secret(Name=sys.argv[5], SecretString=sys.argv[6])
elif what == "put":
    boto3.client("secretsmanager", **at).put_secret_value(SecretId=sys.argv[5], SecretString=sys.argv[6])
else:
    boto3.client("iam", **at).delete_user_policy(UserName="team", PolicyName="p")
"#;

struct Aws {
    server: Child,
    url: String,
    owner: Vec<String>,
    team: Vec<String>,
}

impl Drop for Aws {
    fn drop(&mut self) {
        self.end();
    }
}

fn python(script: &str, words: &[&str]) -> String {
    let ran = Command::new(test_tools().join("venv/bin/python"))
        .args(["-c", script])
        .args(words)
        .output()
        .expect("python runs");
    assert!(ran.status.success(), "{ran:?}");
    String::from_utf8_lossy(&ran.stdout).into_owned()
}

impl Aws {
    fn start() -> Option<Self> {
        let program = test_tools().join("venv/bin/moto_server");
        if !program.exists() {
            eprintln!("skipped: no moto_server; scripts/test.sh installs it");
            return None;
        }
        let free = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = free.local_addr().expect("an address").port();
        drop(free);
        let server = Command::new(program)
            .args(["-H", "127.0.0.1", "-p", &port.to_string()])
            .env("INITIAL_NO_AUTH_ACTION_COUNT", FREE_CALLS)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("moto_server starts");
        let url = format!("http://127.0.0.1:{port}");
        let mut aws = Self {
            server,
            url,
            owner: Vec::new(),
            team: Vec::new(),
        };
        let up = || std::net::TcpStream::connect(("127.0.0.1", port)).is_ok();
        assert!(
            wait_until(Duration::from_secs(60), up),
            "moto does not listen"
        );
        let keys = python(SETUP, &[&aws.url]);
        let mut pairs = keys
            .lines()
            .map(|line| line.split(' ').map(str::to_owned).collect());
        aws.owner = pairs.next().expect("the owner's key");
        aws.team = pairs.next().expect("the team's key");
        Some(aws)
    }

    fn owner(&self, words: &[&str]) {
        let own = [&self.url, &self.owner[0], &self.owner[1]].map(String::as_str);
        python(OWNER, &[&own[..], words].concat());
    }

    fn end(&mut self) {
        let _ended = self.server.kill();
        let _reaped = self.server.wait();
    }
}

#[test]
fn secrets_are_loaded_rotated_and_outlive_a_service_that_refuses_or_is_away() {
    let Some(mut aws) = Aws::start() else {
        return;
    };
    let key = "shop/anthropic-api-key";
    aws.owner(&["create", key, "sk-ant-first"]);
    let team = Team::new(AI_INFRA)
        .with_env("AWS_ENDPOINT_URL", &aws.url)
        .with_env("AWS_REGION", "us-east-1")
        .with_env("AWS_ACCESS_KEY_ID", &aws.team[0])
        .with_env("AWS_SECRET_ACCESS_KEY", &aws.team[1])
        .with_env("AWS_SECRETS_PREFIX", "shop/");
    team.configure("secrets:\n  every_s: 1\nengine:\n  api_key: {secret: anthropic-api-key}\n");
    team.up();
    let listed = || team.ai(&["secret", "list", "--json"]).expect(0);
    let first = listed().json()["sources"].clone();
    let ours = |sources: &serde_json::Value| {
        let all = sources.as_array().cloned().unwrap_or_default();
        let ours = all
            .into_iter()
            .find(|one| one["name"] == "anthropic-api-key");
        ours.unwrap_or_default()
    };
    assert_eq!(ours(&first)["source"], "aws", "{first:#}");
    assert!(!listed().stdout.contains("sk-ant"), "a value is shown");
    assert_eq!(team.status()["problems"].as_array().map(Vec::len), Some(0));
    // A new value: agents and supervisor start anew by themselves, the daemon does not.
    let (agent, daemon) = (team.pid("code"), team.pid("daemon"));
    aws.owner(&["put", key, "sk-ant-second"]);
    let anew = || team.noted_pid("agent-code").is_some_and(|pid| pid != agent);
    assert!(wait_until(PATIENCE, anew), "the new value is not taken up");
    assert_ne!(
        ours(&listed().json()["sources"])["since"],
        ours(&first)["since"]
    );
    assert!(wait_until(PATIENCE, || team.status()["state"] == "up"));
    // Refused, then away: the known value goes on.
    let says = |word: &str| {
        let said = wait_until(PATIENCE, || {
            let problems = team.status()["problems"].to_string();
            problems.contains(word) && problems.contains("goes on")
        });
        assert!(said, "{word}: {:#}", team.status());
        assert_eq!(ours(&listed().json()["sources"])["source"], "aws");
    };
    aws.owner(&["deny"]);
    says("AWS does not let this host read `shop/anthropic-api-key`");
    aws.end();
    says("does not answer");
    assert_eq!(team.pid("daemon"), daemon);
    team.down();
}
