package nodetap.standin;

import java.util.Collection;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.Predicate;
import java.util.function.Supplier;
import java.util.regex.Pattern;
import org.apache.lucene.analysis.TokenStream;
import org.apache.lucene.analysis.email.UAX29URLEmailTokenizer;
import org.apache.lucene.analysis.miscellaneous.RemoveDuplicatesTokenFilter;
import org.apache.lucene.analysis.pattern.PatternCaptureGroupTokenFilter;
import org.elasticsearch.Build;
import org.elasticsearch.client.internal.node.NodeClient;
import org.elasticsearch.cluster.ClusterState;
import org.elasticsearch.cluster.ClusterStateUpdateTask;
import org.elasticsearch.cluster.metadata.DataStream;
import org.elasticsearch.cluster.metadata.IndexNameExpressionResolver;
import org.elasticsearch.cluster.metadata.Metadata;
import org.elasticsearch.cluster.metadata.MetadataDeleteIndexService;
import org.elasticsearch.cluster.node.DiscoveryNodes;
import org.elasticsearch.cluster.service.ClusterService;
import org.elasticsearch.common.Strings;
import org.elasticsearch.common.io.stream.NamedWriteableRegistry;
import org.elasticsearch.common.regex.Regex;
import org.elasticsearch.common.settings.ClusterSettings;
import org.elasticsearch.common.settings.IndexScopedSettings;
import org.elasticsearch.common.settings.Settings;
import org.elasticsearch.common.settings.SettingsFilter;
import org.elasticsearch.env.Environment;
import org.elasticsearch.features.NodeFeature;
import org.elasticsearch.index.Index;
import org.elasticsearch.index.IndexSettings;
import org.elasticsearch.index.analysis.PreConfiguredTokenFilter;
import org.elasticsearch.index.analysis.PreConfiguredTokenizer;
import org.elasticsearch.index.analysis.TokenFilterFactory;
import org.elasticsearch.indices.analysis.AnalysisModule.AnalysisProvider;
import org.elasticsearch.plugins.ActionPlugin;
import org.elasticsearch.plugins.AnalysisPlugin;
import org.elasticsearch.plugins.Plugin;
import org.elasticsearch.rest.BaseRestHandler;
import org.elasticsearch.rest.RestChannel;
import org.elasticsearch.rest.RestController;
import org.elasticsearch.rest.RestHandler;
import org.elasticsearch.rest.RestRequest;
import org.elasticsearch.rest.RestResponse;
import org.elasticsearch.rest.RestStatus;
import org.elasticsearch.xcontent.ToXContent;
import org.elasticsearch.xcontent.XContentBuilder;

/**
 * Stands in for what the published test distribution of Elasticsearch 8.19 leaves out and our tests need: the answer to
 * {@code GET /}, {@code GET} and {@code DELETE /_data_stream/NAME}, and the analysis that the server's own index of API
 * keys asks for. Data streams themselves, and all that decides about documents, are the server's own.
 */
public class StandIn extends Plugin implements ActionPlugin, AnalysisPlugin {
    private ClusterService cluster;

    @Override
    public Collection<?> createComponents(PluginServices services) {
        cluster = services.clusterService();
        return List.of();
    }

    @Override
    public Collection<RestHandler> getRestHandlers(Settings settings, NamedWriteableRegistry registry,
            RestController controller, ClusterSettings clusterSettings, IndexScopedSettings indexSettings,
            SettingsFilter filter, IndexNameExpressionResolver resolver, Supplier<DiscoveryNodes> nodes,
            Predicate<NodeFeature> features) {
        return List.of(new Introduction(), new ListDataStreams(), new DeleteDataStreams(settings));
    }

    @Override
    public Map<String, AnalysisProvider<TokenFilterFactory>> getTokenFilters() {
        return Map.of("pattern_capture", new PatternCapture());
    }

    @Override
    public List<PreConfiguredTokenizer> getPreConfiguredTokenizers() {
        return List.of(PreConfiguredTokenizer.singleton("uax_url_email", UAX29URLEmailTokenizer::new));
    }

    @Override
    public List<PreConfiguredTokenFilter> getPreConfiguredTokenFilters() {
        return List.of(PreConfiguredTokenFilter.singleton("unique", false, RemoveDuplicatesTokenFilter::new));
    }

    /** Who answers here. */
    private final class Introduction extends BaseRestHandler {
        @Override
        public String getName() {
            return "stand_in_introduction";
        }

        @Override
        public List<Route> routes() {
            return List.of(new Route(RestRequest.Method.GET, "/"), new Route(RestRequest.Method.HEAD, "/"));
        }

        @Override
        protected RestChannelConsumer prepareRequest(RestRequest request, NodeClient client) {
            return channel -> {
                Build build = Build.current();
                XContentBuilder answer = channel.newBuilder().startObject();
                answer.field("name", cluster.localNode().getName());
                answer.field("cluster_name", cluster.getClusterName().value());
                answer.field("cluster_uuid", cluster.state().metadata().clusterUUID());
                answer.startObject("version").field("number", build.qualifiedVersion());
                answer.field("build_flavor", build.flavor()).endObject();
                answer.field("tagline", "You Know, for Search").endObject();
                channel.sendResponse(new RestResponse(RestStatus.OK, answer));
            };
        }
    }

    /** What data streams there are. */
    private final class ListDataStreams extends BaseRestHandler {
        @Override
        public String getName() {
            return "stand_in_list_data_streams";
        }

        @Override
        public List<Route> routes() {
            return List.of(
                    new Route(RestRequest.Method.GET, "/_data_stream"),
                    new Route(RestRequest.Method.GET, "/_data_stream/{name}"));
        }

        @Override
        protected RestChannelConsumer prepareRequest(RestRequest request, NodeClient client) {
            String[] patterns = patterns(request);
            return channel -> {
                XContentBuilder answer = channel.newBuilder().startObject().startArray("data_streams");
                for (DataStream stream : matching(cluster.state(), patterns)) {
                    stream.toXContent(answer, ToXContent.EMPTY_PARAMS);
                }
                channel.sendResponse(new RestResponse(RestStatus.OK, answer.endArray().endObject()));
            };
        }
    }

    /** Removes data streams with their indices. */
    private final class DeleteDataStreams extends BaseRestHandler {
        private final Settings settings;

        DeleteDataStreams(Settings settings) {
            this.settings = settings;
        }

        @Override
        public String getName() {
            return "stand_in_delete_data_streams";
        }

        @Override
        public List<Route> routes() {
            return List.of(new Route(RestRequest.Method.DELETE, "/_data_stream/{name}"));
        }

        @Override
        protected RestChannelConsumer prepareRequest(RestRequest request, NodeClient client) {
            String[] patterns = patterns(request);
            return channel -> cluster.submitUnbatchedStateUpdateTask("delete data streams", new Deletion(channel, patterns));
        }

        private final class Deletion extends ClusterStateUpdateTask {
            private final RestChannel channel;
            private final String[] patterns;

            Deletion(RestChannel channel, String[] patterns) {
                this.channel = channel;
                this.patterns = patterns;
            }

            @Override
            public ClusterState execute(ClusterState state) {
                Metadata.Builder metadata = Metadata.builder(state.metadata());
                Set<Index> indices = new HashSet<>();
                for (DataStream stream : matching(state, patterns)) {
                    indices.addAll(stream.getIndices());
                    metadata.removeDataStream(stream.getName());
                }
                ClusterState without = ClusterState.builder(state).metadata(metadata).build();
                return MetadataDeleteIndexService.deleteIndices(without, indices, settings);
            }

            @Override
            public void clusterStateProcessed(ClusterState before, ClusterState after) {
                answer(RestStatus.OK, true);
            }

            @Override
            public void onFailure(Exception error) {
                answer(RestStatus.INTERNAL_SERVER_ERROR, false);
            }

            private void answer(RestStatus status, boolean acknowledged) {
                try {
                    XContentBuilder answer = channel.newBuilder().startObject();
                    answer.field("acknowledged", acknowledged).endObject();
                    channel.sendResponse(new RestResponse(status, answer));
                } catch (java.io.IOException error) {
                    throw new java.io.UncheckedIOException(error);
                }
            }
        }
    }

    private static final class PatternCapture implements AnalysisProvider<TokenFilterFactory> {
        @Override
        public TokenFilterFactory get(IndexSettings index, Environment environment, String name, Settings settings) {
            Pattern[] patterns = settings.getAsList("patterns").stream().map(Pattern::compile).toArray(Pattern[]::new);
            boolean keep = settings.getAsBoolean("preserve_original", true);
            return new TokenFilterFactory() {
                @Override
                public String name() {
                    return name;
                }

                @Override
                public TokenStream create(TokenStream input) {
                    return new PatternCaptureGroupTokenFilter(input, keep, patterns);
                }
            };
        }

        @Override
        public boolean requiresAnalysisSettings() {
            return true;
        }
    }

    private static String[] patterns(RestRequest request) {
        return Strings.splitStringByCommaToArray(request.param("name", "*"));
    }

    private static List<DataStream> matching(ClusterState state, String[] patterns) {
        return state.metadata().dataStreams().values().stream()
                .filter(stream -> Regex.simpleMatch(patterns, stream.getName()))
                .toList();
    }
}
