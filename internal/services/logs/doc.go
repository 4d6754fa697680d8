// Package logs is the room of Amazon CloudWatch Logs: log groups and streams,
// PutLogEvents, GetLogEvents, FilterLogEvents with the filter pattern language
// (package pattern), StartLiveTail, retention, tags.
//
// Pages followed:
// https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/Welcome.html
// https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/cloudwatch_limits_cwl.html
//
// Limits are AWS's: 10,000 events and 1 MiB in a batch (26 bytes are counted for
// each event), 24 hours between its first and last event, events at most 14 days
// old and 2 hours in the future, 1 MiB or 10,000 events in a page.
//
// What is acknowledged is on disk. Retention acts twice: reads never return an
// event that is older than its group keeps, and a sweep every hour deletes such
// events. Events of a deleted group or stream are hidden at once and deleted by
// the same sweep, which also begins when the server starts.
//
// Accepted without effect, because it has no meaning here: sequenceToken (as on
// AWS since 2023), unmask (there is no masking), interleaved (always so, as on
// AWS), includeLinkedAccounts when false. An entity in PutLogEvents is answered
// with rejectedEntityInfo. Refused by name: kmsKeyId, log group classes other
// than STANDARD, linked accounts.
//
// Deliberate differences: storedBytes of a group is exact and at once, and
// arrives at PutLogEvents; AWS updates it daily.
package logs
