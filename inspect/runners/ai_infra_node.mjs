// A reporter for `node --test` that yields one JSON line a test, with the names of the tests around it.
export default async function* report(source) {
  const around = [];
  for await (const { type, data } of source) {
    if (type === 'test:start') {
      around.length = data.nesting;
      around.push(data.name);
    } else if (type === 'test:pass' || type === 'test:fail') {
      const error = data.details && data.details.error;
      const cause = error && (error.cause || error);
      const kind = error && error.failureType;
      const spared = data.skip !== undefined && data.skip !== false ? 'skipped' : null;
      const todo = data.todo !== undefined && data.todo !== false ? 'skipped' : null;
      yield JSON.stringify({
        event: 'test',
        outcome: spared || todo || (type === 'test:pass' ? 'passed' : 'failed'),
        path: [...around.slice(0, data.nesting), data.name],
        file: String(data.file || ''),
        message: cause ? String(cause.message || cause) : '',
        parent: (data.details && data.details.type) === 'suite' || kind === 'subtestsFailed',
        hook: kind === 'hookFailed',
      }) + '\n';
    }
  }
  yield JSON.stringify({ event: 'end' }) + '\n';
}
