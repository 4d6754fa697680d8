// Package codecs lists the codecs.
package codecs

import (
	"github.com/tierra-cloud/tierra/internal/edge/protocol"
	"github.com/tierra-cloud/tierra/internal/edge/protocol/awsjson"
	"github.com/tierra-cloud/tierra/internal/edge/protocol/awsquery"
	"github.com/tierra-cloud/tierra/internal/edge/protocol/restjson"
	"github.com/tierra-cloud/tierra/internal/edge/protocol/restxml"
	"github.com/tierra-cloud/tierra/internal/edge/protocol/rpccbor"
	"github.com/tierra-cloud/tierra/internal/kernel/model"
)

// All returns the codec of every protocol.
func All() map[model.Protocol]protocol.Codec {
	return map[model.Protocol]protocol.Codec{
		model.JSON:      awsjson.Codec{},
		model.Query:     awsquery.Codec{},
		model.EC2:       awsquery.Codec{EC2: true},
		model.RestJSON:  restjson.Codec{},
		model.RestXML:   restxml.Codec{},
		model.RPCv2CBOR: rpccbor.Codec{},
	}
}
