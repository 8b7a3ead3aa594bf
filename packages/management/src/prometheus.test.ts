import assert from 'node:assert/strict'
import { test } from 'node:test'
import { formatMetrics } from './prometheus.ts'

test('a histogram is shown as cumulative buckets, the last of them +Inf, with its sum and its count', () => {
  const text = formatMetrics([
    {
      name: 'holdfast_x_duration_seconds',
      help: 'How long',
      type: 'histogram',
      labels: { command: 'read' },
      value: 6,
      histogram: { bounds: [0.000_05, 0.01], counts: [1, 3, 2], sum: 20.5 },
    },
  ])
  assert.equal(
    text,
    [
      '# HELP holdfast_x_duration_seconds How long',
      '# TYPE holdfast_x_duration_seconds histogram',
      'holdfast_x_duration_seconds_bucket{command="read",le="0.00005"} 1',
      'holdfast_x_duration_seconds_bucket{command="read",le="0.01"} 4',
      'holdfast_x_duration_seconds_bucket{command="read",le="+Inf"} 6',
      'holdfast_x_duration_seconds_sum{command="read"} 20.5',
      'holdfast_x_duration_seconds_count{command="read"} 6',
      '',
    ].join('\n'),
  )
})
