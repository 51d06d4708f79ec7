// Package client asks the Bare Metal API: OpenStack Ironic's, or any service that speaks it.
//
// It gives and takes the nouns of package baremetal, and every error of it wraps one of that package's
// sentinels. Four things are decided here and nowhere else:
//
//   - the microversion: the first request speaks the newest that we know; a 406 names what the server knows,
//     and from then on the lower one is spoken (version.go);
//   - who we are: nobody, a static token, http_basic, Keystone (auth.go);
//   - what an answer means: three forms of error body, and several meanings of one status (fault.go);
//   - what is asked again: a locked node, a service that does not answer, an answer that never came (request.go).
//
// It holds no state of nodes and starts no goroutines but net/http's; [Client.Close] ends those. It does not
// know allocations, volumes, port groups, boot devices or vendor calls.
//
// Specified in the API reference, "Bare Metal API v1", and by Ironic 21.4, whose recorded answers are in
// testdata. Start at [New] and request.go.
package client
