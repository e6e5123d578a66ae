"""Attribute names: OpenTelemetry's conventions where one exists (semconv 1.41 for GenAI), else `cabtrace.*`.

Copied as strings because the Python package keeps the GenAI ones under a private path.
"""

from __future__ import annotations

from typing import Final

# what kind of span this is; `model_call`, `tool_call`, ... see `SpanKind`
SPAN_KIND: Final = "cabtrace.span.kind"

# identity (cell span, resource)
CELL_ID: Final = "cabtrace.cell.id"
RUN_ID: Final = "cabtrace.run.id"
SWEEP: Final = "cabtrace.sweep"
ATTEMPT: Final = "cabtrace.attempt"
PROVISIONAL: Final = "cabtrace.provisional"  # the note in words, so that every backend shows it
TASK: Final = "cabtrace.task"
VERDICT: Final = "cabtrace.verdict"
CAUSE: Final = "cabtrace.cause"
TEST_SUITE_NAME: Final = "test.suite.name"
TEST_CASE_NAME: Final = "test.case.name"
TEST_CASE_STATUS: Final = "test.case.result.status"

# the seed page's own words, kept under one prefix
WORKDIR: Final = "cabtrace.workdir"
TASK_CATEGORY: Final = "cabtrace.task_category"
PLUGIN_STACK: Final = "cabtrace.plugin_stack"
BEHAVIOR_MODE: Final = "cabtrace.behavior_mode"
TIMEOUT_S: Final = "cabtrace.timeout_s"
EXIT_CODE: Final = "cabtrace.exit_code"
DURATION_S: Final = "cabtrace.duration_s"
TIMED_OUT: Final = "cabtrace.timed_out"
TUI: Final = "cabtrace.tui"
PLUGINS_COUNT: Final = "cabtrace.plugins.count"
PLUGINS_APPLIED: Final = "cabtrace.plugins.applied"
PLUGINS_SKIPPED: Final = "cabtrace.plugins.skipped"
PLUGINS_APPLIED_COUNT: Final = "cabtrace.plugins.applied_count"
PLUGINS_SKIPPED_COUNT: Final = "cabtrace.plugins.skipped_count"
ENV_KEYS: Final = "cabtrace.env_keys"
EXTRA_ARGS: Final = "cabtrace.extra_args"
REMOVED: Final = "cabtrace.cleanup.removed"
SANDBOX: Final = "cabtrace.sandbox"
SANDBOX_OPEN: Final = "cabtrace.sandbox.left_open"
SANITIZED: Final = "cabtrace.sanitized"  # names of attributes whose value had to be made safe for OTLP
ABORTED: Final = "cabtrace.aborted"

# container and process
CONTAINER_ID: Final = "container.id"
CONTAINER_IMAGE_NAME: Final = "container.image.name"
CONTAINER_IMAGE_ID: Final = "container.image.id"
CONTAINER_IMAGE_DIGESTS: Final = "container.image.repo_digests"
CONTAINER_RUNTIME: Final = "container.runtime.name"
CONTAINER_OOM_KILLED: Final = "cabtrace.container.oom_killed"
CONTAINER_MEMORY_LIMIT: Final = "cabtrace.container.memory_limit_bytes"
PROCESS_ARGS: Final = "process.command_args"
PROCESS_EXECUTABLE: Final = "process.executable.name"
PROCESS_PID: Final = "process.pid"
PROCESS_EXIT_CODE: Final = "process.exit.code"
ERROR_TYPE: Final = "error.type"
SERVICE_NAME: Final = "service.name"
SERVICE_VERSION: Final = "service.version"

# GenAI
GEN_AI_OPERATION: Final = "gen_ai.operation.name"
GEN_AI_PROVIDER: Final = "gen_ai.provider.name"
GEN_AI_AGENT: Final = "gen_ai.agent.name"
GEN_AI_REQUEST_MODEL: Final = "gen_ai.request.model"
GEN_AI_REQUEST_STREAM: Final = "gen_ai.request.stream"
GEN_AI_REQUEST_MAX_TOKENS: Final = "gen_ai.request.max_tokens"
GEN_AI_REQUEST_TEMPERATURE: Final = "gen_ai.request.temperature"
GEN_AI_RESPONSE_MODEL: Final = "gen_ai.response.model"
GEN_AI_RESPONSE_ID: Final = "gen_ai.response.id"
GEN_AI_FINISH_REASONS: Final = "gen_ai.response.finish_reasons"
GEN_AI_TTFT_S: Final = "gen_ai.response.time_to_first_chunk"
GEN_AI_INPUT_TOKENS: Final = "gen_ai.usage.input_tokens"
GEN_AI_OUTPUT_TOKENS: Final = "gen_ai.usage.output_tokens"
GEN_AI_CACHE_READ_TOKENS: Final = "gen_ai.usage.cache_read.input_tokens"
GEN_AI_CACHE_WRITE_TOKENS: Final = "gen_ai.usage.cache_creation.input_tokens"
GEN_AI_REASONING_TOKENS: Final = "gen_ai.usage.reasoning.output_tokens"
GEN_AI_TOOL_NAME: Final = "gen_ai.tool.name"
GEN_AI_TOOL_CALL_ID: Final = "gen_ai.tool.call.id"
GEN_AI_TOOL_ARGUMENTS: Final = "gen_ai.tool.call.arguments"
GEN_AI_TOOL_RESULT: Final = "gen_ai.tool.call.result"
GEN_AI_EVALUATION_NAME: Final = "gen_ai.evaluation.name"
GEN_AI_EVALUATION_SCORE: Final = "gen_ai.evaluation.score.value"
GEN_AI_EVALUATION_LABEL: Final = "gen_ai.evaluation.score.label"
GEN_AI_EVALUATION_EXPLANATION: Final = "gen_ai.evaluation.explanation"
EVALUATION_EVENT: Final = "gen_ai.evaluation.result"

# a model call, beyond the convention
CALL_INDEX: Final = "cabtrace.call.index"
CALL_API: Final = "cabtrace.call.api"
CALL_REQUEST_HASH: Final = "cabtrace.call.request_hash"
CALL_LATENCY_MS: Final = "cabtrace.call.latency_ms"
CALL_RETRY_OF: Final = "cabtrace.call.retry_of"
CALL_RETRIES: Final = "cabtrace.call.retries"
CALL_INCOMPLETE: Final = "cabtrace.call.incomplete"
CALL_CHUNKS: Final = "cabtrace.call.chunks"
CALL_REQUEST_BYTES: Final = "cabtrace.call.request_bytes"
CALL_RESPONSE_BYTES: Final = "cabtrace.call.response_bytes"
HTTP_STATUS: Final = "http.response.status_code"
TOOL_CALL_SOURCES: Final = "cabtrace.tool.sources"  # model_calls (times are an upper bound), telemetry, transcript
TOOL_CALL_ASKED_BY: Final = "cabtrace.tool.asked_by"  # span id of the model call that asked for it
TOOL_CALL_TIMES: Final = "cabtrace.tool.times"  # which of its sources the span's start and end come from
TOOL_EXIT_CODE_FROM: Final = "cabtrace.tool.exit_code_from"  # `result`: read from the words of the result, hence a guess
TOOL_CALL_TRANSCRIPT: Final = "cabtrace.tool.transcript"  # key of the transcript's call, where that has no id
CALL_SOURCES: Final = "cabtrace.call.sources"  # proxy, telemetry
CALL_TRACEPARENT: Final = "cabtrace.call.traceparent"  # W3C header that the agent sent with the call
MODEL_CALL_EVENT: Final = "cabtrace.model_call"  # one a call, on adapter_run

# what came from the agent's own telemetry; what it called otherwise is kept under `cabtrace.original.`
SOURCE: Final = "cabtrace.source"  # telemetry
SOURCE_TELEMETRY: Final = "telemetry"
SYNTHETIC: Final = "cabtrace.synthetic"  # a parent that was named and never arrived
ORIGINAL: Final = "cabtrace.original."
ORIGINAL_TRACE_ID: Final = "cabtrace.original.trace_id"
ORIGINAL_SPAN_ID: Final = "cabtrace.original.span_id"
ORIGINAL_PARENT_ID: Final = "cabtrace.original.parent_id"
ORIGINAL_NAME: Final = "cabtrace.original.name"
TELEMETRY: Final = "cabtrace.telemetry."  # counts of what arrived, on the container span

# what an export did to a span
TIMESHIFT: Final = "cabtrace.timeshift_ns"  # on the root: added to every time
WITHHELD: Final = "cabtrace.content.withheld"  # attributes that held prompts or outputs, and stayed behind
RUNNING: Final = "cabtrace.running"  # of a run that was still being recorded
FOLDED: Final = "cabtrace.folded.count"  # how many quiet spans this one stands for
FOLDED_NAMES: Final = "cabtrace.folded.names"
FOLDED_BUSY_NS: Final = "cabtrace.folded.busy_ns"  # the sum of their durations

# what an import did to a span
IMPORT_DERIVED: Final = "cabtrace.import.derived"  # names of attributes that other conventions had under other names

# what the agent's transcript counts, on the cell span, to hold against the model calls; `note` says why they differ
TRANSCRIPT_CALLS: Final = "cabtrace.transcript.model_calls"
TRANSCRIPT_INPUT_TOKENS: Final = "cabtrace.transcript.input_tokens"
TRANSCRIPT_OUTPUT_TOKENS: Final = "cabtrace.transcript.output_tokens"
TRANSCRIPT_TOOL_CALLS: Final = "cabtrace.transcript.tool_calls"
TRANSCRIPT_NOTE: Final = "cabtrace.transcript.note"

OPENINFERENCE_KIND: Final = "openinference.span.kind"  # CHAIN, EVALUATOR: where GenAI has no word


class SpanKind:
    """Values of `cabtrace.span.kind`; the first five are the seed page's."""

    TASK_SETUP: Final = "task_setup"
    TOOL_CALL: Final = "tool_call"
    CONTAINER: Final = "container"
    ADAPTER_RUN: Final = "adapter_run"
    CLEANUP: Final = "cleanup"
    CELL: Final = "cell"
    MODEL_CALL: Final = "model_call"
    SCORE: Final = "score"
    VERIFIER: Final = "verifier"
    AGENT: Final = "agent"
