// A mocha reporter that writes one JSON line a test to the file named by AI_INFRA_EVENTS.
const fs = require('fs');

module.exports = function (runner) {
  const file = fs.openSync(process.env.AI_INFRA_EVENTS, 'a');
  const write = (event) => fs.writeSync(file, JSON.stringify(event) + '\n');
  const path = (node) => {
    const titles = [];
    for (let at = node; at; at = at.parent) if (at.title) titles.unshift(at.title);
    return titles;
  };
  const tell = (outcome) => (test, error) =>
    write({
      event: 'test',
      outcome,
      path: path(test),
      file: String(test.file || (test.parent && test.parent.file) || ''),
      message: error ? String(error.message || error) : '',
      hook: test.type === 'hook',
    });
  runner.on('pass', tell('passed'));
  runner.on('fail', tell('failed'));
  runner.on('pending', tell('skipped'));
  runner.on('end', () => write({ event: 'end' }));
};
