module amtcheck

go 1.26.0

require (
	bosh-ironic-cpi v0.0.0
	github.com/VictorLowther/wsman v0.0.0
	github.com/open-amt-cloud-toolkit/go-wsman-messages/v2 v2.5.2
)

require (
	github.com/VictorLowther/simplexml v0.0.0-20180716164440-0bff93621230 // indirect
	github.com/VictorLowther/soap v0.0.0-20150314151524-8e36fca84b22 // indirect
	github.com/google/uuid v1.6.0 // indirect
	github.com/gorilla/websocket v1.5.1 // indirect
	github.com/icholy/digest v1.2.0 // indirect
	github.com/santhosh-tekuri/jsonschema/v6 v6.0.2 // indirect
	github.com/satori/go.uuid v1.2.0 // indirect
	github.com/sirupsen/logrus v1.9.3 // indirect
	golang.org/x/net v0.62.0 // indirect
	golang.org/x/sys v0.49.0 // indirect
	golang.org/x/text v0.43.0 // indirect
	gopkg.in/yaml.v3 v3.0.1 // indirect
)

replace bosh-ironic-cpi => ../..

// The original is not to be had from every proxy; this is a copy that somebody keeps.
replace github.com/VictorLowther/wsman => github.com/rgl/wsman v0.0.1
