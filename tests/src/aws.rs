//! Amazon's services as others wrote them for tests (moto), with their rights switched on: an owner who may everything,
//! and a user for the team, who may what a test says.

use crate::processes::wait_until;
use crate::projects::test_tools;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// Makes both users; `team` may this action.
const SETUP: &str = r#"
import boto3, json, sys
at = dict(endpoint_url=sys.argv[1], region_name="us-east-1", aws_access_key_id="x", aws_secret_access_key="x")
iam = boto3.client("iam", **at)
def user(name, action):
    iam.create_user(UserName=name)
    rule = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": action, "Resource": "*"}]}
    iam.put_user_policy(UserName=name, PolicyName="p", PolicyDocument=json.dumps(rule))
    key = iam.create_access_key(UserName=name)["AccessKey"]
    return key["AccessKeyId"], key["SecretAccessKey"]
for pair in user("owner", "*"), user("team", sys.argv[2]):
    print(*pair)
"#;
/// Calls under `SETUP` that need no rights yet.
const FREE_CALLS: &str = "6";

const OWNER: &str = r#"
import boto3, json, sys
url, key, secret, what = sys.argv[1:5]
at = dict(endpoint_url=url, region_name="us-east-1", aws_access_key_id=key, aws_secret_access_key=secret)
if what == "create":
    boto3.client("secretsmanager", **at).create_secret(Name=sys.argv[5], SecretString=sys.argv[6])
elif what == "put":
    boto3.client("secretsmanager", **at).put_secret_value(SecretId=sys.argv[5], SecretString=sys.argv[6])
elif what == "bucket":
    boto3.client("s3", **at).create_bucket(Bucket=sys.argv[5])
elif what == "allow":
    rule = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": sys.argv[5], "Resource": "*"}]}
    boto3.client("iam", **at).put_user_policy(UserName="team", PolicyName="p", PolicyDocument=json.dumps(rule))
elif what == "session":
    iam = boto3.client("iam", **at)
    anybody = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "sts:AssumeRole"}]}
    role = iam.create_role(RoleName="keeper", AssumeRolePolicyDocument=json.dumps(anybody))["Role"]["Arn"]
    rule = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}]}
    iam.put_role_policy(RoleName="keeper", PolicyName="p", PolicyDocument=json.dumps(rule))
    got = boto3.client("sts", **at).assume_role(RoleArn=role, RoleSessionName="session")["Credentials"]
    print(got["AccessKeyId"], got["SecretAccessKey"], got["SessionToken"])
elif what == "withdraw":
    boto3.client("iam", **at).delete_access_key(UserName="team", AccessKeyId=sys.argv[5])
else:
    boto3.client("iam", **at).delete_user_policy(UserName="team", PolicyName="p")
"#;

/// The server; it ends with its holder.
pub struct Aws {
    server: Child,
    /// Its address.
    pub url: String,
    /// Its port.
    pub port: u16,
    owner: Vec<String>,
    /// Name and value of the team's access key.
    pub team: Vec<String>,
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
    /// Starts it with a team that may this action; `None`, with a word on standard error, where it is not
    /// installed.
    pub fn start(action: &str) -> Option<Self> {
        let program = test_tools().join("venv/bin/moto_server");
        if !program.exists() {
            eprintln!("skipped: no moto_server; scripts/test.sh installs it");
            return None;
        }
        let port = crate::port::free();
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
            port,
            owner: Vec::new(),
            team: Vec::new(),
        };
        let up = || std::net::TcpStream::connect(("127.0.0.1", port)).is_ok();
        assert!(
            wait_until(Duration::from_secs(60), up),
            "moto does not listen"
        );
        let keys = python(SETUP, &[&aws.url, action]);
        let mut pairs = keys
            .lines()
            .map(|line| line.split(' ').map(str::to_owned).collect());
        aws.owner = pairs.next().expect("the owner's key");
        aws.team = pairs.next().expect("the team's key");
        Some(aws)
    }

    /// What the owner does: `create NAME VALUE`, `put NAME VALUE`, `bucket NAME`, `allow ACTION`, `withdraw KEY`, `deny`.
    pub fn owner(&self, words: &[&str]) {
        let own = [&self.url, &self.owner[0], &self.owner[1]].map(String::as_str);
        python(OWNER, &[&own[..], words].concat());
    }

    /// Keys that end by themselves, for whoever may do anything with buckets: name, value, and the token that belongs to them.
    pub fn session(&self) -> Vec<String> {
        let own = [&self.url, &self.owner[0], &self.owner[1]].map(String::as_str);
        let said = python(OWNER, &[&own[..], &["session"]].concat());
        said.split_whitespace().map(str::to_owned).collect()
    }

    /// Ends it.
    pub fn end(&mut self) {
        let _ended = self.server.kill();
        let _reaped = self.server.wait();
    }
}
