"""AutoGen AgentChat behind a fence: nothing outside this folder sees its types.

What is worked round here, each with a test in tests/test_autogen_workrounds.py that fails without it:

- a cancelled or raising tool leaves the agent waiting for ever: the workbench answers with an error result instead;
- a cancelled run leaves its tools running: they are linked to a token that every run cancels, and waited for;
- malformed arguments, unknown tools and repeated call ids never reach the tool's own code, or mix up results: the
  client makes ids unique and carries what the model wrote to the toolbox, which answers it;
- every model call and tool call rebuilds all tool schemas: they are built once;
- running out of rounds looks like an answer: it is told apart;
- the events logger writes arguments and results in clear: it is kept off.
"""

from wetread.agents._autogen.run import AgentRun, run_agent

__all__ = ["AgentRun", "run_agent"]
